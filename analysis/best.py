"""`best/` in the sweep's folder: the weights of the best trial, with all that it takes to predict with them."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as read_safetensors

from analysis.record import Record, SweepError
from analysis.weights import check_weights
from trainable.config import TrialConfig
from trainable.files import DamagedError, check_regular, make_folder, read_json, written_whole
from trainable.loop import on_device, predict_logits
from trainable.models import MEAN, STD, build, place


@dataclass(frozen=True)
class Best:
    """A trained model.

    Attributes:
      trial: the number of the trial it comes from.
      image_size: height and width in pixels.
      weights: safetensors.
    """

    trial: int
    config: TrialConfig
    classes: tuple[str, ...]
    image_size: tuple[int, int]
    weights: bytes

    def logits(self, images: np.ndarray) -> np.ndarray:
        """(N, classes) float32 of (N, 3, H, W) uint8 pixels of this size, on a GPU where there is one."""
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        model = place(build(self.config.from_scratch(), len(self.classes), self.image_size), self.config.arch, device)
        try:
            model.load_state_dict(read_safetensors(self.weights))
        except (RuntimeError, SafetensorError) as error:
            raise SweepError(f"model.safetensors holds no weights of its config: {error}") from None
        return predict_logits(self.config, model, on_device(images, device))


def write_best(record: Record) -> Best | None:
    """Writes `best/model.safetensors` and `best/config.json`; None, and nothing written, where no trial is COMPLETE.

    Raises:
      SweepError: the best trial's weights are not there, or are damaged.
    """
    trial = record.best
    if trial is None:
        return None
    if trial.weights is None:
        raise SweepError(
            f"{trial.folder}: holds no best.safetensors, the weights of the best trial; restore the file, "
            f"or see `python -m search.check {record.folder}`"
        )
    try:
        check_weights(trial.weights, trial.config, trial.best_epoch)
    except DamagedError as error:
        raise SweepError(f"{error}; see `python -m search.check {record.folder}`") from None
    weights = trial.weights.read_bytes()
    folder = record.folder / "best"
    make_folder(folder)
    about = {
        "trial": trial.number,
        "metric": record.metric,
        "value": trial.value,
        "epoch": trial.best_epoch,
        "config": trial.config,
        "classes": record.classes,
        "image_size": record.settings["image_size"],
        "mean": MEAN,
        "std": STD,
        "sha256": hashlib.sha256(weights).hexdigest(),
    }
    with written_whole(folder / "model.safetensors") as partial:
        partial.write_bytes(weights)
    with written_whole(folder / "config.json") as partial:
        partial.write_text(json.dumps(about, indent=1) + "\n")
    return read_best(record.folder)


def read_best(sweep: Path) -> Best:
    """What `write_best` wrote into a sweep's folder.

    Raises:
      SweepError: it is not there, or is damaged.
    """
    folder = sweep / "best"
    try:
        about = read_json(folder / "config.json")
        check_regular(folder / "model.safetensors")
        weights = (folder / "model.safetensors").read_bytes()
        is_whole = about["sha256"] == hashlib.sha256(weights).hexdigest()
        best = Best(
            trial=about["trial"],
            config=TrialConfig.from_dict(about["config"]),
            classes=tuple(about["classes"]),
            image_size=(about["image_size"][0], about["image_size"][1]),
            weights=weights,
        )
    except FileNotFoundError as error:
        raise SweepError(f"{error.filename}: is not there; it is written once a trial is COMPLETE") from None
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise SweepError(f"{folder}: is damaged ({error}); {_anew(sweep)}") from None
    if not is_whole:
        raise SweepError(f"{folder}: model.safetensors is not the one of config.json; {_anew(sweep)}")
    return best


def _anew(sweep: Path) -> str:
    return f"`python -m search.check {sweep} --repair` and the sweep's command write it anew"
