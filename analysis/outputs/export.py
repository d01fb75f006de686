"""Exports the best model of a sweep as one ONNX file, which is checked before it appears, with a model card."""

import hashlib
import json
import warnings
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from sweep.analysis.estimates.choice import choose
from sweep.analysis.outputs.best import pretrained_of, read_best
from sweep.analysis.outputs.trained import Trained
from sweep.analysis.record import Record
from sweep.analysis.report.contents import config_fields
from sweep.analysis.report.markdown import environment
from sweep.analysis.sweep_data import data_spared, sweep_data
from sweep.datasets.pixels.dataset import Dataset, Split
from sweep.storage.command_line import check_out
from sweep.storage.errors import SweepError
from sweep.storage.files import save_bytes, utf8
from sweep.trainable.images import on_device
from sweep.trainable.metrics.contract import softmax
from sweep.trainable.metrics.log_loss import SMALLEST

TOLERANCE = 1e-4  # the largest difference between two logits
CHECKED_TOGETHER = 64  # images in one batch of the check
CARD_HEAD = b"# Model card: "


class ExportError(SweepError):
    """The model cannot be exported as ONNX; the message says why."""


@dataclass(frozen=True)
class Checked:
    """The result of comparing an ONNX file with the torch model.

    Attributes:
      difference: the largest difference between two logits.
      logits: (N, classes) logits of the validation images, as onnxruntime computes them from the file.
    """

    difference: float
    logits: np.ndarray


class _WithProbabilities(nn.Module):
    def __init__(self, model: nn.Module, divisor: float) -> None:
        super().__init__()
        self.model, self.divisor = model, divisor

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.model(images)
        return logits, (logits if self.divisor == 1 else logits / self.divisor).softmax(dim=1)


def export(sweep: Path, out: Path, data: Path | None) -> list[str]:
    """Exports the best model as the command asks for it; returns the lines that the command prints.

    Args:
      sweep: the folder of the sweep.
      out: the ONNX file to write; its model card is written beside it.
      data: where the sweep's data lies now; None for the place that the sweep recorded.

    Raises:
      ExportError: the model cannot be exported, or writing `out` or its card would replace a file that is no export.
      SweepError, DataError, DamagedError: the sweep or its data cannot be read.
    """
    record, best = Record(sweep), read_best(sweep)
    check_out(out, data_spared(record, data))
    if out.suffix != ".onnx":  # other names could belong to the sweep, or share a card
        raise ExportError(f"--out {out}: its name must end in .onnx, got {out.name}")
    if (card := card_of(out)).exists() and not (card.is_file() and card.read_bytes().startswith(CARD_HEAD)):
        raise ExportError(f"--out {out}: {card.name} is there already and no model card; give another name")
    card, comparison = write_export(record, best, sweep_data(record, data), out)
    return [
        f"{out}: trial {best.trial}, logits within {comparison.difference:.1e} of torch's",
        f"{card}",
    ]


def write_export(record: Record, best: Trained, data: Dataset, out: Path) -> tuple[Path, Checked]:
    """Writes the ONNX file `out` and, beside it, its model card.

    Returns:
      The path of the card, and the result of checking the file.

    Raises:
      ExportError: the model cannot be exported, or the file computes other logits; then nothing is written.
    """
    metadata = {
        "classes": json.dumps(best.classes),
        "image_size": json.dumps(best.image_size),
        "layout": "images: uint8 (N, 3, H, W), RGB from 0 to 255, normalised by the model; image_size: [H, W]",
        "sweep": record.file.id,
        "trial": str(best.trial),
        "config": json.dumps(best.config.to_dict()),
        "data_fingerprint": record.file.fingerprint,
        **({name: repr(number) for name, number in best.fitted.to_json().items()} if best.fitted else {}),
    }
    model = to_onnx(best, metadata)
    content = model.SerializeToString(deterministic=True)
    comparison = check(content, best, data.valid)
    text = (
        environment()
        .get_template("model-card.md")
        .render(_card_values(record, best, data, model, content, comparison, out))
    )
    for path, file_bytes in ((out, content), (card_of(out), utf8(text + "\n"))):
        save_bytes(path, file_bytes)
    return card_of(out), comparison


def card_of(out: Path) -> Path:
    """Returns the path of the model card that belongs to an ONNX file."""
    return out.with_name(f"{out.stem}-card.md")


def to_onnx(best: Trained, metadata: dict[str, str]) -> onnx.ModelProto:
    """Returns the model as ONNX in float32, for any number of images at once.

    Args:
      best: the model.
      metadata: texts that are kept in the file, by their names.

    Raises:
      ExportError: torch cannot write this architecture as ONNX.
    """
    net = _WithProbabilities(best.module_on("cpu"), best.fitted.divisor if best.fitted else 1.0).eval()
    example = torch.zeros((2, 3, *best.image_size), dtype=torch.uint8)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                net,
                (example,),
                input_names=["images"],
                output_names=["logits", "probabilities"],
                dynamic_shapes={"images": {0: torch.export.Dim("N")}},
                dynamo=True,
                verbose=False,
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
        message = f"arch {best.config.arch}: torch {version('torch')} cannot write it as ONNX: {error}"
        raise ExportError(message.split("\n")[0]) from error
    assert program is not None
    model = program.model_proto
    # torch adds the source file and line of each operation. Those would publish the paths of this machine, and make
    # the file differ between machines.
    for node in (node for graph in (model.graph, *model.functions) for node in graph.node):
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    onnx.helper.set_model_props(model, metadata)
    return model


def check(content: bytes, best: Trained, valid: Split) -> Checked:
    """Compares what an ONNX file and the torch model compute for the validation images.

    Args:
      content: the bytes of the ONNX file.
      best: the model.
      valid: the validation images.

    Raises:
      ExportError: a logit differs by more than `TOLERANCE`.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    net = best.module_on("cpu")
    difference, all_logits = 0.0, []
    for start in range(0, len(valid.images), CHECKED_TOGETHER):
        images = valid.images[start : start + CHECKED_TOGETHER]
        with torch.no_grad():
            expected = net(on_device(images, torch.device("cpu"))).numpy()
        (logits,) = session.run(["logits"], {"images": images})
        difference = float(np.maximum(difference, np.abs(logits - expected).max()))  # NaN stays NaN
        all_logits.append(logits)
    if not difference <= TOLERANCE:
        raise ExportError(
            f"arch {best.config.arch}: onnxruntime's logits must be torch's to {TOLERANCE:g}, and differ by up to "
            f"{difference:.1e}; nothing is written"
        )
    return Checked(difference, np.concatenate(all_logits))


def _card_values(
    record: Record, best: Trained, data: Dataset, model: onnx.ModelProto, content: bytes, comparison: Checked, out: Path
) -> dict[str, Any]:
    """Returns the values that the template of the model card uses."""
    is_still_best = record.best is not None and record.best.number == best.trial
    choice = choose(record) if is_still_best else None
    # With folds, all images count as train images.
    judging = data.valid if data.folds is None else data.valid.empty()
    per_class = zip(data.classes, _counts(data, data.train), _counts(data, judging), strict=True)
    config, metric = best.config.to_dict(), record.metric
    shares = softmax(comparison.logits)
    adjusted_shares = shares if best.fitted is None else best.fitted.scored(best.fitted.output(shares))
    assert metric.value is not None
    value = metric.value(data.valid.truth, np.log(np.maximum(adjusted_shares, SMALLEST)))
    return {
        "name": record.folder.resolve().name,
        "file": out.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "opset": next(opset.version for opset in model.opset_import if not opset.domain),
        "versions": {name: version(name) for name in ("torch", "onnxruntime")},
        "id": record.file.id,
        "commit": record.file.commit,
        "trial": best.trial,
        "estimate": choice.sentence if choice else "",
        "is_still_best": is_still_best,
        "measured": f"{metric.one} of {metric.scale.value(value)}",
        "fitted": best.fitted,
        "folds": best.folds,
        "difference": comparison.difference,
        "valid_images": len(data.valid.images),
        "height": best.image_size[0],
        "width": best.image_size[1],
        "classes": [{"label": label, "train": train, "valid": valid} for label, train, valid in per_class],
        "data_name": Path(record.settings.data).name,
        "fingerprint": record.file.fingerprint,
        "images": {name: len(split.images) for name, split in data.splits.items()},
        "notes": data.notes,
        "config": config,
        "fields": config_fields(config),
        "pretrained": pretrained_of(record, best.config),
    }


def _counts(data: Dataset, split: Split) -> np.ndarray:
    """Returns (classes,) the number of images of each class."""
    return np.bincount(split.truth, minlength=len(data.classes))
