"""Which trial of a sweep a config is of.

A search draws its configs, and the seed in each is a function of the trial's number. A repeat and a refit have theirs
whole in the queue, where several share a seed: there it takes the whole config to tell.
"""

import json
from collections.abc import Callable
from typing import Any

from search.runtime.draws import trial_seed
from storage.sweep_file import SweepFile, Values
from trainable.config import ConfigError, TrialConfig


def queued_config(file: SweepFile, number: int) -> Values | None:
    """What the queue holds whole of a trial's config; None where it is drawn."""
    return entry.config if (entry := file.queue.get(number)) else None


def is_of(file: SweepFile, number: int, config: TrialConfig) -> bool:
    """Whether a config is that of the trial."""
    queued = queued_config(file, number)
    if queued is None:
        return config.seed == trial_seed(file.settings.seed, number)
    return _comparable(queued) == config


def numbers(file: SweepFile, limit: int) -> Callable[[Any], int | None]:
    """Tells, of what should be a config in JSON, the number of its trial, below `limit`; None where there is none."""
    whole = {number: config for number in range(limit) if (config := queued_config(file, number)) is not None}
    by_config = {_comparable(config): number for number, config in whole.items()}
    by_seed = {trial_seed(file.settings.seed, number): number for number in range(limit) if number not in whole}

    def number_of(config: Any) -> int | None:
        if not isinstance(config, dict):
            return None
        if by_config and (number := by_config.get(_comparable(config))) is not None:
            return number
        seed = config.get("seed")
        return by_seed.get(seed) if isinstance(seed, int) else None

    return number_of


def _comparable(config: Values) -> TrialConfig | str:
    """The config, with defaults for fields that it was written without; its text where it is none of this version."""
    try:
        return TrialConfig.from_dict(config)
    except (ConfigError, TypeError, AttributeError):
        return json.dumps(config, sort_keys=True)
