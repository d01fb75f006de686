"""Writes and reads `best/` in the sweep's folder: the weights of the best trial, and all that predicting needs.

best/
  model.safetensors     the trial's own weights (with folds, those of all its nets), without the frozen weights of a
                        pretrained net
  config.json           its config, the classes, which images it takes, and the sha256 of each file
  pretrained/           each pretrained net whose frozen weights the best trial, or a member of an ensemble, leaves out
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sweep.analysis.estimates import adjustments
from sweep.analysis.estimates.adjustments.contract import Fitted
from sweep.analysis.estimates.choice import choose
from sweep.analysis.outputs.trained import Trained, trained
from sweep.analysis.record import Record
from sweep.analysis.trial_record import TrialRecord
from sweep.datasets import decoders
from sweep.datasets.decoders.recipe import FITS, Decoding
from sweep.storage import paths
from sweep.storage.errors import SweepError
from sweep.storage.files import DamagedError, check_regular, make_folder, read_json, remove, save_bytes, written_whole
from sweep.storage.programs import spelled
from sweep.storage.schema import parsed, to_json
from sweep.storage.sweep_file import WeightsEntry
from sweep.trainable.config import TrialConfig
from sweep.trainable.models import family_of
from sweep.trainable.weights import cache, left_out, needed, remember, state_dict
from sweep.trainable.weights.contract import Weights
from sweep.trainable.weights.prepare import recorded

ADJUSTED, AS_IT_IS, AVERAGED = "adjusted", "as it is", "averaged"  # keys in `best/config.json`
WAYS = (AS_IT_IS, AVERAGED)


def write_best(record: Record) -> Trained | None:
    """Writes `best/` and returns its model; if no trial is COMPLETE, writes nothing and returns None.

    A decision threshold or a temperature is written into `config.json` if the corrected estimate is better with it.

    Raises:
      SweepError: the best trial's weights are missing or damaged.
      WeightsError: a pretrained net that has to be kept is not on this machine.
    """
    trial = record.best
    if trial is None:
        return None
    model = trained(record, trial)
    weights = model.weights
    folder = record.folder / paths.BEST
    make_folder(folder)
    nets = _frozen_nets(record, trial)
    copies = _keep(record, nets)
    preprocessing = family_of(trial.config["arch"]).preprocessing(TrialConfig.from_dict(trial.config))
    description = {
        "trial": trial.number,
        "metric": record.metric.name,
        "value": trial.value,
        **({"epoch": trial.best_epoch} if model.folds is None else {"folds": model.folds}),
        "config": trial.config,
        "classes": record.classes,
        "image_size": record.file.image_size,
        # The decoding that was the only one in older versions is left out, so that the files of older sweeps do not
        # change.
        **({} if model.decoding == Decoding() else {"decoding": asdict(model.decoding)}),
        "mean": preprocessing.mean,
        "std": preprocessing.std,
        # For the same reason these are left out if nothing began with pretrained weights.
        **({"pretrained": to_json(entries)} if (entries := pretrained_of(record, model.config, nets)) else {}),
        **({"pretrained_files": copies} if copies else {}),
        **({ADJUSTED: fitted} if (fitted := _adjustments(record)) else {}),
        "sha256": hashlib.sha256(weights).hexdigest(),
    }
    for name, content in (
        (paths.BEST_WEIGHTS, weights),
        (paths.CONFIG, f"{json.dumps(description, indent=1)}\n".encode()),
    ):
        save_bytes(folder / name, content)
    return read_best(record.folder)


def _adjustments(record: Record) -> dict[str, dict[str, float]]:
    """Returns how the predictions of the best trial are adjusted, as they are and averaged over views.

    A way to predict that is not adjusted is not in the dict.
    """
    choice = choose(record)
    options = {} if choice is None else {name: choice.best_of(False, name == AVERAGED) for name in WAYS}
    return {name: option.fitted.to_json() for name, option in options.items() if option and option.fitted}


def pretrained_of(record: Record, config: TrialConfig, others: Iterable[str] = ()) -> dict[str, WeightsEntry]:
    """Returns the pretrained weights with which a config of a sweep begins, by the names of the nets.

    Args:
      record: the sweep.
      config: the config.
      others: the names of further nets whose weights are returned too.
    """
    entries = record.file.weights or {}
    return {net: entries[net] for net in sorted({*needed(config), *others}) if net in entries}


def _frozen_nets(record: Record, best: TrialRecord) -> list[str]:
    """Returns the pretrained nets whose frozen weights the best trial, or a member of an ensemble, leaves out."""
    if not record.file.weights:
        return []
    options = choice.options if (choice := choose(record)) else ()
    members = {best.number, *(number for option in options for number, _ in option.members)}
    configs = [TrialConfig.from_dict(record.trials[number].config) for number in members]
    return sorted({net for config in configs for net in left_out(config) if net in record.file.weights})


def _keep(record: Record, nets: Sequence[str]) -> dict[str, str]:
    """Copies the weights of these nets to `best/pretrained/` and removes others; returns each file's sha256 by name.

    Raises:
      WeightsError: the weights of some net are not on this machine.
    """
    place, weights = paths.pretrained(record.folder), recorded(record.file.weights or {})
    copies = {net: place / weights[net].path.name for net in nets}
    for path in place.glob("*"):
        if path not in copies.values():
            remove(path)
    remember(weights)
    for net, copy in copies.items():
        if cache.read(copy) is None:
            make_folder(place)
            state_dict(net)  # makes sure that the file in the cache folder is complete
            with written_whole(copy) as partial:
                shutil.copyfile(weights[net].path, partial)
    return {copy.name: cache.sha256_of(copy) for copy in copies.values()}


def read_best(sweep: Path) -> Trained:
    """Returns the model that `write_best` wrote into a sweep's folder.

    Raises:
      SweepError: a file of `best/` is missing.
      DamagedError: a file of `best/` is damaged.
    """
    folder = sweep / paths.BEST
    try:
        description = read_json(folder / paths.CONFIG)
        check_regular(folder / paths.BEST_WEIGHTS)
        weights = (folder / paths.BEST_WEIGHTS).read_bytes()
        is_whole = description["sha256"] == hashlib.sha256(weights).hexdigest()
        best = Trained(
            trial=description["trial"],
            config=TrialConfig.from_dict(description["config"]),
            classes=tuple(description["classes"]),
            image_size=(description["image_size"][0], description["image_size"][1]),
            weights=weights,
            decoding=_read_decoding(description),
            pretrained=_read_pretrained(description, folder / paths.PRETRAINED),
            fitted=_read_fitted(description, AS_IT_IS),
            fitted_averaged=_read_fitted(description, AVERAGED),
            folds=description.get("folds"),
        )
    except FileNotFoundError as error:
        raise SweepError(f"{error.filename}: is not there; it is written once a trial is COMPLETE") from None
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise DamagedError(folder, f"is damaged ({error})", _repair_advice(sweep)) from None
    if not is_whole:
        raise DamagedError(folder, "model.safetensors is not the one of config.json", _repair_advice(sweep))
    return best


def _read_pretrained(description: dict[str, Any], place: Path) -> tuple[Weights, ...]:
    for name, sha256 in description.get("pretrained_files", {}).items():
        path = place / Path(name).name
        check_regular(path)
        if cache.sha256_of(path) != sha256:
            raise ValueError(f"{path.name} is not the file of config.json")
    entries = parsed(dict[str, WeightsEntry], description.get("pretrained", {}))
    return tuple(recorded(entries, place).values())


def _read_decoding(description: dict[str, Any]) -> Decoding:
    decoding = Decoding(**description.get("decoding", {}))
    if decoding.number not in range(1, decoders.NEWEST + 1) or decoding.fit not in FITS:
        raise ValueError(f"decoding {decoding.number!r}, {decoding.fit!r} is not known")
    return decoding


def _read_fitted(description: dict[str, Any], way: str) -> Fitted | None:
    content = description.get(ADJUSTED, {}).get(way)
    return None if content is None else adjustments.from_json(content)


def _repair_advice(sweep: Path) -> str:
    return f"`{spelled('check')} {sweep} --repair` and the sweep's command write it anew"
