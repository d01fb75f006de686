"""Turns JSON values into dataclasses, and dataclasses into JSON values.

Every value is checked against the type of its field and against the field's rule. A field may have a plain type, an
enum of texts, another dataclass, a list, a dict, `X | None`, or one of these with a `Rule` in `Annotated`. A dataclass
that may be None is written as `{}` when it is None. This module imports nothing heavy.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from enum import StrEnum
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
    list: "a list",
    dict: "an object",
}
SHOWN = 40  # characters of a wrong value that a message shows
MOST_DIGITS = 9  # of a number that is a name in a JSON object


@dataclass(frozen=True)
class Rule:
    """A rule for a value that goes beyond its type.

    Attributes:
      words: what the value must be, for messages: "a whole number above 0".
      holds: returns whether a value of the right type follows the rule.
    """

    words: str
    holds: Callable[[Any], bool]


def named(name: str) -> Any:
    """Returns an optional field that has another name in JSON than in Python."""
    return field(default=None, metadata={"name": name})


def parsed(kind: Any, value: Any, place: str = "", rule: str = "") -> Any:
    """Returns a JSON value as an object of the type `kind`; a field that is missing gets its default.

    Args:
      kind: a dataclass, or the type of a field.
      value: the JSON value.
      place: the name of the field, for messages: `queue.3.params`.
      rule: what the value must be, for messages, where that is more than its type.

    Raises:
      ValueError: the value is not of this type; the message names the field, the rule and the value.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any or (is_dataclass(kind) and type(value) is kind):  # a part may have been parsed before the whole
        return value
    if origin in (UnionType, Union):  # `Annotated[...] | None` gives `Union`
        return None if value is None or (value == {} and is_dataclass(inner[0])) else parsed(inner[0], value, place)
    if origin is Annotated:
        result = parsed(inner[0], value, place, inner[1].words)
        return result if inner[1].holds(result) else _refuse(place, inner[1].words, value)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind(value) if value in list(kind) else _refuse(place, f"one of {', '.join(kind)}", value)
    plain_type: Any = dict if is_dataclass(kind) else origin or kind
    if type(value) is not plain_type and not (plain_type is float and type(value) is int):
        return _refuse(place, rule or WORDS[plain_type], value)
    if is_dataclass(kind):
        return _object(kind, value, place)
    if origin is list:
        return [parsed(inner[0], item, f"{place}[{number}]") for number, item in enumerate(value)]
    if origin is dict:
        return {_key(inner[0], key, place): parsed(inner[1], item, f"{place}.{key}") for key, item in value.items()}
    return value


def to_json(value: Any) -> Any:
    """Returns the JSON value from which `parsed` makes the same object.

    An optional field that is None is left out, or `{}` if it may hold a dataclass.
    """
    if isinstance(value, dict):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [to_json(item) for item in value]
    if not is_dataclass(value):
        return value
    content: dict[str, object] = {}
    for each in fields(value):
        item = getattr(value, each.name)
        if item is not None or each.default is MISSING:
            content[_name(each)] = to_json(item)
        elif any(is_dataclass(kind) for kind in get_args(each.type)):
            content[_name(each)] = {}
    return content


def _object(kind: Any, content: Mapping[str, Any], place: str) -> Any:
    by_name = {_name(each): each for each in fields(kind)}
    required = [name for name, each in by_name.items() if each.default is MISSING and each.default_factory is MISSING]
    if missing := [name for name in required if name not in content]:
        raise ValueError(f"{place} lacks {', '.join(missing)}".lstrip())
    if unknown := [name for name in content if name not in by_name]:
        names = ", ".join(unknown)[:SHOWN]
        raise ValueError(f"{place} has {names}, which this version does not know".lstrip())
    values = {name: parsed(by_name[name].type, value, f"{place}.{name}".lstrip(".")) for name, value in content.items()}
    return kind(**{by_name[name].name: value for name, value in values.items()})


def _name(entry: "Field[Any]") -> str:
    return str(entry.metadata.get("name", entry.name))


def _key(kind: type, key: str, place: str) -> Any:
    if kind is not int:
        return key
    is_one = key.isdecimal() and len(key) <= MOST_DIGITS
    return int(key) if is_one else _refuse(f"each name in {place}", WORDS[int], key)


def _refuse(place: str, rule: str, value: Any) -> Any:
    raise ValueError(f"{place} must be {rule}, got {json.dumps(value)[:SHOWN]}".lstrip())
