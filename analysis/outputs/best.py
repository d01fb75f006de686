"""`best/` in the sweep's folder: the weights of the best trial, with all that it takes to predict with them."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from analysis.outputs.trained import Trained, trained
from analysis.record import Record
from datasets import decoders
from datasets.decoders.recipe import FITS, Decoding
from storage import paths
from storage.errors import SweepError
from storage.files import DamagedError, check_regular, make_folder, read_json, save_bytes
from storage.schema import to_json
from storage.sweep_file import WeightsEntry
from trainable.config import TrialConfig
from trainable.models import family_of
from trainable.weights import needed


def write_best(record: Record) -> Trained | None:
    """Writes `best/model.safetensors` and `best/config.json`; None, and nothing written, where no trial is COMPLETE.

    Raises:
      SweepError: the best trial's weights are not there, or are damaged.
    """
    trial = record.best
    if trial is None:
        return None
    model = trained(record, trial).whole()
    weights = model.weights
    folder = record.folder / paths.BEST
    make_folder(folder)
    preprocessing = family_of(trial.config["arch"]).preprocessing(TrialConfig.from_dict(trial.config))
    about = {
        "trial": trial.number,
        "metric": record.metric.name,
        "value": trial.value,
        "epoch": trial.best_epoch,
        "config": trial.config,
        "classes": record.classes,
        "image_size": record.file.image_size,
        # Left out where it is that of before there was a choice, so that the file of such a sweep stays as it is.
        **({} if model.decoding == Decoding() else {"decoding": asdict(model.decoding)}),
        "mean": preprocessing.mean,
        "std": preprocessing.std,
        # Likewise of a model that did not begin with pretrained weights.
        **({"pretrained": to_json(begun)} if (begun := pretrained_of(record, model.config)) else {}),
        "sha256": hashlib.sha256(weights).hexdigest(),
    }
    for name, content in ((paths.BEST_WEIGHTS, weights), (paths.CONFIG, f"{json.dumps(about, indent=1)}\n".encode())):
        save_bytes(folder / name, content)
    return read_best(record.folder)


def pretrained_of(record: Record, config: TrialConfig) -> dict[str, WeightsEntry]:
    """Returns the pretrained weights that a config of a sweep begins with, by their nets."""
    recorded = record.file.weights or {}
    return {net: recorded[net] for net in needed(config) if net in recorded}


def read_best(sweep: Path) -> Trained:
    """What `write_best` wrote into a sweep's folder.

    Raises:
      SweepError: it is not there.
      DamagedError: it is damaged.
    """
    folder = sweep / paths.BEST
    try:
        about = read_json(folder / paths.CONFIG)
        check_regular(folder / paths.BEST_WEIGHTS)
        weights = (folder / paths.BEST_WEIGHTS).read_bytes()
        is_whole = about["sha256"] == hashlib.sha256(weights).hexdigest()
        best = Trained(
            trial=about["trial"],
            config=TrialConfig.from_dict(about["config"]),
            classes=tuple(about["classes"]),
            image_size=(about["image_size"][0], about["image_size"][1]),
            weights=weights,
            decoding=_decoding(about),
        )
    except FileNotFoundError as error:
        raise SweepError(f"{error.filename}: is not there; it is written once a trial is COMPLETE") from None
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise DamagedError(folder, f"is damaged ({error})", _anew(sweep)) from None
    if not is_whole:
        raise DamagedError(folder, "model.safetensors is not the one of config.json", _anew(sweep))
    return best


def _decoding(about: dict[str, Any]) -> Decoding:
    found = Decoding(**about.get("decoding", {}))
    if found.number not in range(1, decoders.NEWEST + 1) or found.fit not in FITS:
        raise ValueError(f"decoding {found.number!r}, {found.fit!r} is not known")
    return found


def _anew(sweep: Path) -> str:
    return f"`python -m search.check {sweep} --repair` and the sweep's command write it anew"
