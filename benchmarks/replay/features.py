"""Turns configs into numbers, by the fields in which the configs of a table differ, for forests and distances."""

from collections.abc import Sequence

import numpy as np

from sweep.search.spaces.default_2 import REFERENCE_RATES
from sweep.storage.sweep_file import Values

ABSENT = -1.0  # in place of a number that a config does not have; all others are 0 or more


class ConfigEncoder:
    """Turns configs into rows of numbers, with columns chosen by the configs of a table.

    A field with names as values becomes a column for each of its choices. One more column has the learning rate as a
    multiple of the rate at which the architecture trains well with the optimizer, because a good rate for SGD is up to
    fifty times a good rate for Adam.
    """

    def __init__(self, configs: Sequence[Values]) -> None:
        names = dict.fromkeys(name for config in configs for name in config if name != "seed")
        values = {name: {_hashable(config.get(name)) for config in configs} for name in names}
        value_sets = {name: choices for name, choices in values.items() if len(choices) > 1}
        self._numbers = [name for name, choices in value_sets.items() if all(map(_is_number, choices - {None}))]
        self._choices = [
            (name, choice)
            for name, choices in value_sets.items()
            if name not in self._numbers
            for choice in sorted(choices, key=str)
        ]

    def vector(self, config: Values) -> np.ndarray:
        """Returns (features,) float32 for a config."""
        numbers = [ABSENT if config.get(name) is None else float(config[name]) for name in self._numbers]
        choices = [float(_hashable(config.get(name)) == choice) for name, choice in self._choices]
        return np.array([*numbers, *choices, _rate_multiple(config)], np.float32)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _hashable(value: object) -> object:
    return value if isinstance(value, None | bool | int | float | str) else str(value)


def _rate_multiple(config: Values) -> float:
    reference = REFERENCE_RATES.get(config["arch"], {}).get(config.get("optimizer", ""))
    return config["lr"] / reference if reference and "lr" in config else ABSENT
