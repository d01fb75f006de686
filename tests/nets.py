"""Nets of timm and torchvision of different kinds, each followed from its first step to its exported file.

For the tests, which take three of them, and for `make reliability`, which takes all.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from safetensors.torch import save as write_safetensors

from sweep.analysis.outputs.export import TOLERANCE, to_onnx
from sweep.analysis.outputs.trained import Trained
from sweep.datasets.decoders.recipe import Decoding
from sweep.trainable.config import TrialConfig
from sweep.trainable.loop import predict_logits, train
from sweep.trainable.metrics import DEFAULT
from sweep.trainable.saving import load, save
from sweep.trainable.state import new_state
from tests.trials import in_memory

TOGETHER = 4  # nets that are followed at a time


@dataclass(frozen=True)
class Kind:
    """A net, and what is unusual about it.

    Attributes:
      side: px of the images as they are kept.
      values: of its config.
    """

    arch: str
    what: str
    side: int
    values: dict[str, Any]


def _kind(arch: str, what: str, side: int = 24, **values: Any) -> Kind:
    return Kind(arch, what, side, values)


KINDS = (
    _kind("timm/tf_efficientnet_lite0", "convolutions of one channel each; mean 0.5", input_size=64, dropout=0.2),
    _kind("timm/resnet10t", "residual, images as they are kept", side=48),
    _kind("timm/nf_regnet_b0", "weights standardised instead of batch norm", input_size=64, drop_path=0.1),
    _kind("timm/convnext_atto", "layer norm, enlarged by bicubic interpolation", input_size=96, drop_path=0.1),
    _kind("timm/vit_tiny_patch16_224", "a transformer at another size than its weights'", input_size=64),
    _kind("timm/deit_tiny_distilled_patch16_224", "a transformer with two last layers", input_size=64),
    _kind("timm/swin_tiny_patch4_window7_224", "windows, images made smaller", side=140, input_size=112),
    _kind("timm/levit_128s", "a hybrid of one size, 224 px"),
    _kind("timm/mobilevitv2_050", "a hybrid", input_size=64),
    _kind("timm/crossvit_tiny_240", "two branches, 240 px"),
    _kind("torchvision/mobilenet_v3_small", "a hidden layer before the last", input_size=64, dropout=0.2),
    _kind("torchvision/squeezenet1_1", "a convolution as the last layer, dropout", side=40, dropout=0.5),
    _kind("torchvision/shufflenet_v2_x0_5", "channels shuffled", input_size=64, dropout=0.2),
    _kind("torchvision/densenet121", "each layer sees all before it", side=40),
    _kind("torchvision/googlenet", "auxiliary heads in training", input_size=64),
    _kind("torchvision/inception_v3", "auxiliary heads, 75 px or more", input_size=96),
    _kind("torchvision/efficientnet_v2_s", "384 px, cut behind its third stage", input_size=96, kept_stages=3),
    _kind("torchvision/convnext_tiny", "layer norm", input_size=64, drop_path=0.1),
    _kind("torchvision/swin_t", "windows, channels last", input_size=96, drop_path=0.1),
    _kind("torchvision/vit_b_32", "a transformer at another size than its weights'", input_size=64),
)


@dataclass(frozen=True)
class Followed:
    """What became of a net.

    Attributes:
      problems: empty where all is as it must be.
      difference: the largest between a logit of torch and one of the exported file; where logits are above 1, as a
        share of the largest.
    """

    kind: Kind
    problems: tuple[str, ...]
    difference: float
    seconds: float


def follow(kind: Kind, folder: Path) -> Followed:
    """Trains a net for two steps, once at a stretch and once with a checkpoint in between, and exports it."""
    began = time.monotonic()
    data = in_memory(train=8, valid=6, side=kind.side)
    common = {"pretrained": False, "epochs": 2, "batch_size": 8, "optimizer": "adamw", "schedule": "cosine", "lr": 1e-3}
    config = TrialConfig(arch=kind.arch, **(common | kind.values))

    whole = new_state(config, data)
    history = list(train(config, data, whole))
    broken = new_state(config, data)
    next(train(config, data, broken))
    continued = load(save(broken, config, folder), config, data, DEFAULT)
    seen = [broken.history[0], *train(config, data, continued)]

    model = Trained(0, config, data.classes, data.image_size, _packed(whole.model), Decoding())
    logits = predict_logits(config, model.module_on("cpu"), torch.from_numpy(data.valid.images))
    session = onnxruntime.InferenceSession(to_onnx(model, {}).SerializeToString(), providers=["CPUExecutionProvider"])
    (exported,) = session.run(["logits"], {"images": data.valid.images})
    with torch.no_grad():
        expected = model.module_on("cpu")(torch.from_numpy(data.valid.images)).numpy()
    # After two steps the statistics of a net may be so far off that its logits are a hundred thousand.
    difference = float(np.abs(exported - expected).max() / max(1.0, np.abs(expected).max()))

    problems = [
        problem
        for problem, holds in (
            ("continued, it has another history", _told(history) == _told(seen)),
            ("continued, it has other weights", _same(whole.model, continued.model)),
            ("its predictions are no finite logit a class", logits.shape == (6, 3) and np.isfinite(logits).all()),
            (f"ONNX differs by {difference:.1e}", difference <= TOLERANCE),
        )
        if not holds
    ]
    return Followed(kind, tuple(problems), difference, time.monotonic() - began)


def follow_all(folder: Path) -> Iterator[Followed]:
    """Follows all nets, some at a time, each in a process of one thread: several would wait for busy cores."""
    with ProcessPoolExecutor(TOGETHER, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        yield from pool.map(follow, KINDS, [folder / str(number) for number in range(len(KINDS))])


def _told(history: list[Any]) -> list[dict[str, Any]]:
    return [{name: value for name, value in metrics.to_dict().items() if name != "seconds"} for metrics in history]


def _same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    weights, others = one.state_dict(), other.state_dict()
    return weights.keys() == others.keys() and all(torch.equal(weights[name], others[name]) for name in weights)


def _packed(model: torch.nn.Module) -> bytes:
    return write_safetensors({name: tensor.contiguous().clone() for name, tensor in model.state_dict().items()})
