"""`best/` in the sweep's folder: the weights of the best trial, with all that it takes to predict with them.

best/
  model.safetensors     the trial's own weights, with folds those of all its nets, without what is frozen of a
                        pretrained net
  config.json           its config, the classes, what images it takes, and the sha256 of each file
  pretrained/           each net of which the best trial or a member of an ensemble leaves something out, once
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
from sweep.trainable.weights import kept, left_out, needed, remember, state_dict
from sweep.trainable.weights.contract import Weights
from sweep.trainable.weights.prepare import recorded

ADJUSTED, AS_IT_IS, AVERAGED = "adjusted", "as it is", "averaged"  # in `best/config.json`
WAYS = (AS_IT_IS, AVERAGED)


def write_best(record: Record) -> Trained | None:
    """Writes `best/`; None, and nothing written, where no trial is COMPLETE.

    The decision threshold or the temperature stands in the latter, where the corrected estimate is better with it.

    Raises:
      SweepError: the best trial's weights are not there, or are damaged.
      WeightsError: a pretrained net that is to be kept is not on this machine.
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
    about = {
        "trial": trial.number,
        "metric": record.metric.name,
        "value": trial.value,
        **({"epoch": trial.best_epoch} if model.folds is None else {"folds": model.folds}),
        "config": trial.config,
        "classes": record.classes,
        "image_size": record.file.image_size,
        # Left out where it is that of before there was a choice, so that the file of such a sweep stays as it is.
        **({} if model.decoding == Decoding() else {"decoding": asdict(model.decoding)}),
        "mean": preprocessing.mean,
        "std": preprocessing.std,
        # Likewise where nothing began with pretrained weights.
        **({"pretrained": to_json(begun)} if (begun := pretrained_of(record, model.config, nets)) else {}),
        **({"pretrained_files": copies} if copies else {}),
        **({ADJUSTED: fitted} if (fitted := _adjusted(record)) else {}),
        "sha256": hashlib.sha256(weights).hexdigest(),
    }
    for name, content in ((paths.BEST_WEIGHTS, weights), (paths.CONFIG, f"{json.dumps(about, indent=1)}\n".encode())):
        save_bytes(folder / name, content)
    return read_best(record.folder)


def _adjusted(record: Record) -> dict[str, dict[str, float]]:
    """Returns how what the best trial says is adjusted, of the images as they are and averaged over their views."""
    choice = choose(record)
    options = {} if choice is None else {name: choice.best_of(False, name == AVERAGED) for name in WAYS}
    return {name: option.fitted.to_json() for name, option in options.items() if option and option.fitted}


def pretrained_of(record: Record, config: TrialConfig, others: Iterable[str] = ()) -> dict[str, WeightsEntry]:
    """Returns the pretrained weights that a config of a sweep begins with, and those of other nets, by their nets."""
    begun = record.file.weights or {}
    return {net: begun[net] for net in sorted({*needed(config), *others}) if net in begun}


def _frozen_nets(record: Record, best: TrialRecord) -> list[str]:
    """Returns the pretrained nets of which the best trial, or a member of an ensemble, leaves something out."""
    if not record.file.weights:
        return []
    options = found.options if (found := choose(record)) else ()
    members = {best.number, *(number for option in options for number, _ in option.members)}
    configs = [TrialConfig.from_dict(record.trials[number].config) for number in members]
    return sorted({net for config in configs for net in left_out(config) if net in record.file.weights})


def _keep(record: Record, nets: Sequence[str]) -> dict[str, str]:
    """Copies the weights of these nets to `best/`, and removes others; returns the sha256 of each file by its name.

    Raises:
      WeightsError: some are not on this machine.
    """
    place, begun = paths.pretrained(record.folder), recorded(record.file.weights or {})
    copies = {net: place / begun[net].path.name for net in nets}
    for path in place.glob("*"):
        if path not in copies.values():
            remove(path)
    remember(begun)
    for net, copy in copies.items():
        if kept.read(copy) is None:
            make_folder(place)
            state_dict(net)  # it is whole in the cache folder after that
            with written_whole(copy) as partial:
                shutil.copyfile(begun[net].path, partial)
    return {copy.name: kept.sha256_of(copy) for copy in copies.values()}


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
            pretrained=_pretrained(about, folder / paths.PRETRAINED),
            fitted=_fitted(about, AS_IT_IS),
            fitted_averaged=_fitted(about, AVERAGED),
            folds=about.get("folds"),
        )
    except FileNotFoundError as error:
        raise SweepError(f"{error.filename}: is not there; it is written once a trial is COMPLETE") from None
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise DamagedError(folder, f"is damaged ({error})", _anew(sweep)) from None
    if not is_whole:
        raise DamagedError(folder, "model.safetensors is not the one of config.json", _anew(sweep))
    return best


def _pretrained(about: dict[str, Any], place: Path) -> tuple[Weights, ...]:
    for name, sha256 in about.get("pretrained_files", {}).items():
        path = place / Path(name).name
        check_regular(path)
        if kept.sha256_of(path) != sha256:
            raise ValueError(f"{path.name} is not the file of config.json")
    begun = parsed(dict[str, WeightsEntry], about.get("pretrained", {}))
    return tuple(recorded(begun, place).values())


def _decoding(about: dict[str, Any]) -> Decoding:
    found = Decoding(**about.get("decoding", {}))
    if found.number not in range(1, decoders.NEWEST + 1) or found.fit not in FITS:
        raise ValueError(f"decoding {found.number!r}, {found.fit!r} is not known")
    return found


def _fitted(about: dict[str, Any], way: str) -> Fitted | None:
    found = about.get(ADJUSTED, {}).get(way)
    return None if found is None else adjustments.from_json(found)


def _anew(sweep: Path) -> str:
    return f"`{spelled('check')} {sweep} --repair` and the sweep's command write it anew"
