"""A config of one sweep as a point of another sweep's space: as near as that space comes to it.

What a parameter does is found out by asking the space with the two ends of its range: a field of `TrialConfig` keeps
its value under whatever name this space draws it. A rate that both spaces draw as a multiple of a reference keeps its
multiple, so that it is as bold in one as in the other.
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

NET = ("arch", "backbone")  # with another net it is another config, however like it is otherwise
NOTHING = object()
ROUNDING = 1e-6  # of a rate, which a space writes with six digits


@dataclass(frozen=True)
class Point:
    """Attributes:
    params: of the space; what they leave out is drawn.
    moved: the fields whose value was out of range here, each now at the nearest one within.
    left_out: the fields whose value this space does not take over.
    """

    params: Values
    moved: frozenset[str]
    left_out: frozenset[str]


def transferred(space: Space, config: TrialConfig, drawn: Mapping[str, Any]) -> Point:
    """Returns the point of a space that comes nearest to a config of another one.

    Args:
      drawn: what the config was made of, by the names of the other space.

    Raises:
      ConfigError: this space has no such net, or no config with these parameters.
    """
    plain = space.addition.plain if space.addition else {}
    params: Values = {
        name: value if (own := getattr(config, name)) is None else own
        for name, value in plain.items()
        if name not in space.fixed
    }
    moved, passed = set[str](), set[str]()
    while found := _next(space, params, passed):
        name, drawn_from = found
        field, value = _value(space, params, name, drawn_from, config, drawn)
        nearest = _nearest(value, drawn_from)
        if nearest is NOTHING:
            passed.add(name)
            continue
        params[name] = nearest
        if nearest != value and abs(nearest - value) > ROUNDING * abs(value):
            moved.add(field)
    here = space.chosen(params)
    for field in NET:
        if getattr(here, field) != getattr(config, field):
            raise ConfigError(f"this space has no {field}={getattr(config, field)}")
    space.missing(params)
    taken_over = {name.removesuffix(MULTIPLE) for name in params if name.endswith(MULTIPLE)} | moved | {"seed"}
    other = {name for name, value in config.to_dict().items() if getattr(here, name) != value}
    return Point(params, frozenset(moved), frozenset(other - taken_over))


def _next(space: Space, params: Values, passed: set[str]) -> tuple[str, BaseDistribution] | None:
    """Returns the next parameter that the space asks for; multiples last, for their references depend on the others."""
    lacking = [item for item in space.asked(params).lacking.items() if item[0] not in passed]
    return min(lacking, key=lambda item: item[0].endswith(MULTIPLE), default=None)


def _value(
    space: Space,
    params: Values,
    name: str,
    drawn_from: BaseDistribution,
    config: TrialConfig,
    drawn: Mapping[str, Any],
) -> tuple[str, Any]:
    """Returns the field that a parameter sets, or its own name, and the value that makes the point most alike."""
    if name.endswith(MULTIPLE):
        field = name.removesuffix(MULTIPLE)
        reference, real = _chosen(space, {**params, name: 1.0}).get(field), getattr(config, field, None)
        return field, drawn.get(name, real / reference if reference and real else NOTHING)
    first, last = ends(drawn_from)
    low, high = (_chosen(space, {**params, name: end}) for end in (first, last))
    same = [field for field in low if low[field] == first != last == high.get(field)]
    if name in same:
        return name, _of(config, name)
    if len({_of(config, field) for field in same}) == 1:  # one parameter may set several
        return same[0] if len(same) == 1 else name, _of(config, same[0])
    return name, drawn.get(name, getattr(config, name, NOTHING))


def _of(config: TrialConfig, field: str) -> Any:
    value = getattr(config, field)
    return 0.0 if value is None and field in AUGMENTATIONS else value


def _chosen(space: Space, params: Values) -> Values:
    try:
        return vars(space.chosen(params))
    except (NoConfigError, OutsideError):  # not with all the rest at its low end
        return {}


def _nearest(value: Any, drawn_from: BaseDistribution) -> Any:
    """Returns the value of a range that is nearest to one; `NOTHING` where none is."""
    if isinstance(drawn_from, CategoricalDistribution):
        same = [
            each for each in drawn_from.choices if each == value and isinstance(each, bool) == isinstance(value, bool)
        ]
        return same[0] if same else NOTHING
    assert isinstance(drawn_from, IntDistribution | FloatDistribution)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return NOTHING
    nearest = min(max(value, drawn_from.low), drawn_from.high)
    if drawn_from.step:
        steps = round((nearest - drawn_from.low) / drawn_from.step)
        nearest = min(drawn_from.low + steps * drawn_from.step, drawn_from.high)
    return int(nearest) if isinstance(drawn_from, IntDistribution) else float(nearest)
