"""The defaults of new sweeps, which settings may not change in a running one, and where its ledger may be moved."""

import json
from dataclasses import asdict, fields
from pathlib import Path

import optuna

from sweep.analysis.estimates import ensembles
from sweep.datasets import decoders, listing_rules
from sweep.search import pruners, samplers, spaces
from sweep.storage.sweep_file import Defaults, Settings, SweepFile, Table
from sweep.trainable.config import ConfigError, TrialConfig

NEWEST_DEFAULTS = Defaults(
    space=spaces.NEWEST,
    sampler=samplers.NEWEST,
    pruner=pruners.NEWEST,
    decoder=decoders.NEWEST,
    listing=listing_rules.NEWEST,
    ensemble=ensembles.NEWEST,
)

# The settings that decide the results, which may not change while a sweep continues. The data and the space decide them
# too; these are compared by fingerprint and by table, so their place may change.
FIXED = (
    "fixed",
    "max_epochs",
    "metric",
    "seed",
    "sampler",
    "pruner",
    "baselines",
    "backbones",
    "like",
    "image_size",
    "limit_train",
    "limit_valid",
    "fit",
    "folds",
)


def read_sweep(folder: Path) -> SweepFile:
    """Returns the content of `sweep.json` of a sweep that is to be continued.

    Raises:
      SweepError: the folder holds no sweep.
      DamagedError: the file is damaged.
      ConfigError: the sweep was begun by a newer version.
      UserError: a file of the user's that the command names is not the one with which the sweep began.
    """
    file = SweepFile.read(folder)
    numbers = asdict(file.defaults)
    for name, newest in asdict(NEWEST_DEFAULTS).items():
        if not 1 <= numbers[name] <= newest:
            raise ConfigError(
                f"{folder / 'sweep.json'}: begun by a newer version: its {name} has the number {numbers[name]}, this "
                f"version knows 1 to {newest}; go on with the version that began it"
            )
    if (file.imbalance or 0) > spaces.NEWEST_IMBALANCE:
        raise ConfigError(
            f"{folder / 'sweep.json'}: begun by a newer version: its imbalance has the number {file.imbalance}, this "
            f"version knows 1 to {spaces.NEWEST_IMBALANCE}; go on with the version that began it"
        )
    return file


def differences(before: Settings, after: Settings) -> list[str]:
    """Returns one line for each setting that may not change and did."""
    old, new = (asdict(settings) | asdict(settings.data_options) for settings in (before, after))
    return [f"{name}: was {_text(old[name])}, now {_text(new[name])}" for name in FIXED if old[name] != new[name]]


def _text(value: object) -> object:
    """Returns the value as its option takes it, which for a list means separated by commas."""
    return ",".join(map(str, value)) if isinstance(value, list) else value


def table_differences(before: Table, after: Table) -> list[str]:
    """Returns one line for each change of the space.

    A field of `TrialConfig` that was added after the sweep began is no change while it has its default.
    """
    defaults = {each.name: [json.dumps(each.default)] for each in fields(TrialConfig)}
    lines = []
    for part in sorted(before.keys() | after.keys()):
        old, new = before.get(part, {}), after.get(part, {})
        lines += [
            f"space, {part}, {name}: was {old.get(name)}, now {new.get(name)}"
            for name in sorted(old.keys() | new.keys())
            if old.get(name) != new.get(name) and (part == "ranges" or name in old or new[name] != defaults.get(name))
        ]
    return lines


def check_moved(sweep_id: str, old_url: str, new_url: str) -> None:
    """Checks that the ledger of a sweep has been moved from one place to another.

    Args:
      old_url, new_url: the URL of a database; empty for the journal in the sweep's folder.

    Raises:
      ConfigError: the ledger is not in the new place.
      OSError: the database cannot be reached.
    """
    if old_url and new_url and sweep_id in _studies(new_url):
        return
    old_place, new_place = old_url or "the journal in its folder", new_url or "a journal in its folder"
    raise ConfigError(
        f"--ledger: the ledger of this sweep must be there, got {new_place}, which holds none of it; "
        f"it is {old_place}: leave --ledger as it was, or start another sweep with --sweep"
    )


def _studies(url: str) -> list[str]:
    """Returns the names of all studies in a database."""
    from sweep.storage import postgres

    try:
        storage = postgres.open_storage(url, lock=None)
        try:
            return optuna.get_all_study_names(storage)
        finally:
            storage.engine.dispose()
    except postgres.NoTablesError:
        return []
    except postgres.ERRORS as error:
        raise postgres.unreachable(url, error) from error
