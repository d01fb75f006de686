"""Turns the flags of a command into a search, and adds what an existing sweep already knows."""

import filecmp
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from sweep.search.runtime.settings import read_sweep
from sweep.search.runtime.sweep_kinds import Search
from sweep.search.spaces.fixed import read_fixed
from sweep.storage import paths, user_code
from sweep.storage.files import DamagedError, read_json
from sweep.storage.schema import parsed
from sweep.storage.sweep_file import DataOptions, Settings, Values
from sweep.trainable.config import ConfigError
from sweep.trainable.metrics import name_of
from sweep.trainable.models import is_of_catalogue


def search_of(folder: Path, flags: Mapping[str, Any], flags_set: set[str], is_demo: bool) -> Search:
    """Returns the search in this folder, where a sweep may exist already.

    Args:
      flags: the values of all flags of `search.run`, by name.
      flags_set: the names of the flags that the command sets. An existing sweep keeps its own values for the others.
      is_demo: whether demo images are generated, because there is no data.

    Raises:
      UserError: a flag has a value that is not possible.
    """
    flags = dict(flags)
    if "budget_epochs" in flags_set and "trials" not in flags_set:
        # Each trial takes at least an epoch, so no more trials are needed.
        flags["trials"], flags_set = flags["budget_epochs"], flags_set | {"trials"}
    flags["data"] = str(paths.own_images(folder)) if is_demo else os.path.realpath(flags["data"] or "data")
    if user_code.is_reference(flags["space"]):
        flags["space"] = user_code.name(flags["space"], "--space")
    if flags["submission"] and os.path.exists(flags["submission"]):  # otherwise it may be a name inside the data
        flags["submission"] = os.path.realpath(flags["submission"])
    flags["backbones"] = _backbones(flags["backbones"])
    flags["like"] = list(dict.fromkeys(map(_place_of, flags["like"]))) or None
    flags["metric"] = name_of(flags["metric"])
    flags["fixed"] = read_fixed(flags["fixed"])
    options = DataOptions(**{field.name: flags[field.name] for field in fields(DataOptions)})
    flags["data_options"] = options
    settings = Settings(**{field.name: flags[field.name] for field in fields(Settings)})
    enqueued = _read_enqueued(flags["enqueue"])
    if paths.is_sweep(folder):
        file = read_sweep(folder)
        stored_settings = file.settings
        fixed = {name: user_code.kept_name(value, file.own) for name, value in settings.fixed.items()}
        settings = replace(settings, fixed=fixed, metric=user_code.kept_name(settings.metric, file.own))
        options = replace(stored_settings.data_options, **_explicit_values(options, flags_set))
        if _are_alike(options.submission, stored_settings.data_options.submission):
            options = replace(options, submission=stored_settings.data_options.submission)
        settings = replace(stored_settings, data_options=options, **_explicit_values(settings, flags_set))
    return Search(folder, settings, enqueued, flags["enqueue"], "space" in flags_set)


def _place_of(sweep: str) -> str:
    """Returns the address of a sweep in a form that means the same from any working directory."""
    return sweep.rstrip("/") if ":/" in sweep else os.path.realpath(sweep)


def _backbones(values: Sequence[str]) -> list[str] | None:
    """Returns the names that an option gives, repeated or separated by commas; None if it is not given.

    Raises:
      ConfigError: a name does not have the form of a pretrained net's.
    """
    names = list(dict.fromkeys(name.strip() for value in values for name in value.split(",")))
    for name in names:
        if not is_of_catalogue(name):
            raise ConfigError(
                f"--backbones: each must be timm/NAME or torchvision/NAME, such as timm/resnet50.a1_in1k, got {name!r}"
            )
    return names or None


def _are_alike(sample: str | None, kept_sample: str | None) -> bool:
    """Returns whether the sample file that a command names has the content that the sweep has kept."""
    both_exist = sample and kept_sample and os.path.isfile(sample) and os.path.isfile(kept_sample)
    return bool(both_exist and sample and kept_sample and filecmp.cmp(sample, kept_sample, shallow=False))


def _explicit_values(options: Settings | DataOptions, flags_set: set[str]) -> Mapping[str, Any]:
    """Returns the fields that the command sets."""
    return {name: value for name, value in vars(options).items() if name in flags_set}


def _read_enqueued(path: Path | None) -> list[Values]:
    if path is None:
        return []
    flag, entry = f"--enqueue {path}", "an object, parameter name to value"
    try:
        configs = parsed(list[Any], read_json(path), f"{flag}:", "a list of objects, parameter name to value")
        return [parsed(Values, each, f"{flag}, entry {number}:", entry) for number, each in enumerate(configs, start=1)]
    except (OSError, DamagedError) as error:
        raise ConfigError(f"{flag}: cannot be read as JSON: {error}") from error
    except ValueError as error:
        raise ConfigError(str(error)) from None
