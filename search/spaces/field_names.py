"""Translates configs as people write them, with the names of config fields, into parameters of a space.

A space may draw a field under another name (`head_dropout` for the `dropout` of a head), or as a multiple of a
reference value. To find out which fields a parameter sets, the functions here evaluate the space at both ends of the
parameter's range and compare the two configs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from sweep.search.spaces.walker import NoConfigError, OutsideError, ends
from sweep.storage.errors import ConfigError
from sweep.storage.sweep_file import Values
from sweep.trainable.config import MULTIPLE

if TYPE_CHECKING:
    from sweep.search.spaces.space import Space


@dataclass(frozen=True)
class Sets:
    """The effect of a parameter on a config.

    Attributes:
      fields: the fields that differ between the two ends of the parameter's range.
      is_same: whether the parameter sets exactly one field, and sets it to its own value.
    """

    fields: frozenset[str]
    is_same: bool


def as_parameters(space: "Space", values: Mapping[str, Any]) -> Values:
    """Returns values, whose names may be those of parameters or of fields, under names of parameters alone.

    A field that the space always sets to one value is left out if exactly this value is given.

    Raises:
      ConfigError: a value is out of its range, a name could mean several parameters, or a field that is drawn as a
        multiple is given without a choice on which its reference depends.
    """
    chooser, params = space.record(values), dict(values)
    effects = {name: _effect(space, values, name, drawn_from) for name, drawn_from in chooser.lacking.items()}
    for field in values.keys() - chooser.used:
        names = [name for name, effect in effects.items() if effect.is_same and field in effect.fields]
        if len(names) > 1:
            raise ConfigError(f"`{field}` may be {' or '.join(names)} in this space; give it by one of these names")
        if names:
            params[names[0]] = params.pop(field)
    params = _with_multiples(space, params)
    changing_fields = {field for effect in effects.values() for field in effect.fields}
    return _without_constants(space, params, changing_fields | {"seed"})


def _effect(space: "Space", values: Mapping[str, Any], name: str, drawn_from: BaseDistribution) -> Sets:
    first, last = ends(drawn_from)
    try:
        low, high = (vars(space.chosen({**values, name: end})) for end in (first, last))
    except (NoConfigError, OutsideError):  # it gives no config while all other parameters are at their low end
        return Sets(frozenset(), False)
    fields = frozenset(field for field in low if low[field] != high[field])
    is_same = len(fields) == 1 and all(low[field] == first for field in fields)
    return Sets(fields, is_same)


def _with_multiples(space: "Space", values: Values) -> Values:
    """Returns the values, in which each value of a field that is drawn as a multiple is replaced by that multiple."""
    params, chooser = dict(values), space.record(values)
    for name, drawn_from in chooser.lacking.items():
        field = name.removesuffix(MULTIPLE)
        if field == name or field not in values or field in chooser.used:
            continue
        value = params.pop(field)
        reference = _reference(space, params, field, chooser.lacking)
        assert isinstance(drawn_from, FloatDistribution)
        low, high = reference * drawn_from.low, reference * drawn_from.high
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ConfigError(f"{field}={value} is not in [{low:.6g}, {high:.6g}]")
        params[name] = min(max(value / reference, drawn_from.low), drawn_from.high)
    return params


def _reference(space: "Space", params: Values, field: str, lacking: Mapping[str, BaseDistribution]) -> float:
    """Returns the value that a field has when its multiple is 1."""
    params = {**params, f"{field}{MULTIPLE}": 1.0}
    reference: float = getattr(space.chosen(params), field)
    for name, drawn_from in lacking.items():
        for choice in drawn_from.choices if isinstance(drawn_from, CategoricalDistribution) else ():
            if getattr(space.chosen({**params, name: choice}), field) != reference:
                raise ConfigError(
                    f"`{field}` needs `{name}` beside it, for it is drawn as a multiple of a reference that depends on "
                    "that"
                )
    return reference


def _without_constants(space: "Space", params: Values, changing_fields: set[str]) -> Values:
    """Leaves out the fields that the space always sets to the given value and that no parameter changes."""
    try:
        config, used = space.chosen(params), space.record(params).used
    except (NoConfigError, OutsideError):  # the caller reports this when it asks what is missing
        return params
    fields = vars(config)
    return {
        name: value
        for name, value in params.items()
        if name in used or name in changing_fields or name in space.fixed or name not in fields or fields[name] != value
    }
