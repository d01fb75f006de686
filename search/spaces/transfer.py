"""Finds the point of a space that comes nearest to a config of another sweep's space.

To find out which field a parameter sets, the space is evaluated at both ends of the parameter's range; a field of
`TrialConfig` keeps its value under whatever name this space draws it. A learning rate that both spaces draw as a
multiple of a reference keeps its multiple, so that it is equally bold in both.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from sweep.search.spaces.space import Space
from sweep.search.spaces.walker import NoConfigError, OutsideError, ends
from sweep.storage.errors import ConfigError
from sweep.storage.sweep_file import Values
from sweep.trainable.config import AUGMENTATIONS, MULTIPLE, TrialConfig

NET = ("arch", "backbone")  # a config with another net is another config, however similar the rest is
NOTHING = object()
ROUNDING = 1e-6  # the relative error of a learning rate, which a space rounds to six digits


@dataclass(frozen=True)
class Point:
    """A point of a space that represents a config of another space.

    Attributes:
      params: the values of the space's parameters; the sampler draws those that are missing.
      moved: the fields whose value is out of range in this space, and was moved to the nearest one in range.
      left_out: the fields whose value this space does not take over.
    """

    params: Values
    moved: frozenset[str]
    left_out: frozenset[str]


def transferred(space: Space, config: TrialConfig, source_params: Mapping[str, Any]) -> Point:
    """Returns the point of a space that comes nearest to a config of another space.

    Args:
      source_params: the parameters from which the config was made, by their names in the other space.

    Raises:
      ConfigError: this space does not have the net of the config, or has no config with these parameters.
    """
    plain = space.addition.plain if space.addition else {}
    params: Values = {
        name: value if (own := getattr(config, name)) is None else own
        for name, value in plain.items()
        if name not in space.fixed
    }
    moved, skipped = set[str](), set[str]()
    while parameter := _next(space, params, skipped):
        name, drawn_from = parameter
        field, value = _value(space, params, name, drawn_from, config, source_params)
        nearest = _nearest(value, drawn_from)
        if nearest is NOTHING:
            skipped.add(name)
            continue
        params[name] = nearest
        if nearest != value and abs(nearest - value) > ROUNDING * abs(value):
            moved.add(field)
    nearest_config = space.chosen(params)
    for field in NET:
        if getattr(nearest_config, field) != getattr(config, field):
            raise ConfigError(f"this space has no {field}={getattr(config, field)}")
    space.missing(params)
    taken_over = {name.removesuffix(MULTIPLE) for name in params if name.endswith(MULTIPLE)} | moved | {"seed"}
    differences = {name for name, value in config.to_dict().items() if getattr(nearest_config, name) != value}
    return Point(params, frozenset(moved), frozenset(differences - taken_over))


def _next(space: Space, params: Values, skipped: set[str]) -> tuple[str, BaseDistribution] | None:
    """Returns the next parameter that the space asks for; multiples come last, as their references need the others."""
    lacking = [item for item in space.record(params).lacking.items() if item[0] not in skipped]
    return min(lacking, key=lambda item: item[0].endswith(MULTIPLE), default=None)


def _value(
    space: Space,
    params: Values,
    name: str,
    drawn_from: BaseDistribution,
    config: TrialConfig,
    source_params: Mapping[str, Any],
) -> tuple[str, Any]:
    """Returns the field that a parameter sets, or the parameter's name, and the value that suits the config."""
    if name.endswith(MULTIPLE):
        field = name.removesuffix(MULTIPLE)
        reference, value = _config_fields(space, {**params, name: 1.0}).get(field), getattr(config, field, None)
        return field, source_params.get(name, value / reference if reference and value else NOTHING)
    first, last = ends(drawn_from)
    low, high = (_config_fields(space, {**params, name: end}) for end in (first, last))
    fields = [field for field in low if low[field] == first != last == high.get(field)]
    if name in fields:
        return name, _value_of(config, name)
    if len({_value_of(config, field) for field in fields}) == 1:  # one parameter may set several fields
        return fields[0] if len(fields) == 1 else name, _value_of(config, fields[0])
    return name, source_params.get(name, getattr(config, name, NOTHING))


def _value_of(config: TrialConfig, field: str) -> Any:
    value = getattr(config, field)
    return 0.0 if value is None and field in AUGMENTATIONS else value


def _config_fields(space: Space, params: Values) -> Values:
    try:
        return vars(space.chosen(params))
    except (NoConfigError, OutsideError):  # it gives no config while all other parameters are at their low end
        return {}


def _nearest(value: Any, drawn_from: BaseDistribution) -> Any:
    """Returns the value in a range that is nearest to the given one, or `NOTHING` if there is none."""
    if isinstance(drawn_from, CategoricalDistribution):
        matches = [
            each for each in drawn_from.choices if each == value and isinstance(each, bool) == isinstance(value, bool)
        ]
        return matches[0] if matches else NOTHING
    assert isinstance(drawn_from, IntDistribution | FloatDistribution)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return NOTHING
    nearest = min(max(value, drawn_from.low), drawn_from.high)
    if drawn_from.step:
        steps = round((nearest - drawn_from.low) / drawn_from.step)
        nearest = min(drawn_from.low + steps * drawn_from.step, drawn_from.high)
    return int(nearest) if isinstance(drawn_from, IntDistribution) else float(nearest)
