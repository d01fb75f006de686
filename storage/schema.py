"""Reads JSON as dataclasses, and writes them as JSON: every value has the type of its field and follows its rule.

A field may be of a plain type, an enum of texts, another dataclass, a list, a dict, `X | None`, or one of these with a
`Rule` in `Annotated`. An object that may be missing is `{}` in JSON. Imports nothing heavy.
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
SHOWN = 40  # characters of a wrong value
MOST_DIGITS = 9  # of a number that is a name


@dataclass(frozen=True)
class Rule:
    """What a value must be beside its type."""

    words: str
    holds: Callable[[Any], bool]


def named(name: str) -> Any:
    """Makes an optional field whose name in JSON is another one than in Python."""
    return field(default=None, metadata={"name": name})


def parsed(kind: Any, value: Any, place: str = "", rule: str = "") -> Any:
    """Returns a JSON value as an object of this type; a field that is not there has its default.

    Args:
      kind: a dataclass, or the type of a field.
      place: which field it is, for messages: `queue.3.params`.
      rule: what the value must be, where that is more than its type.

    Raises:
      ValueError: it is none; the message names the field, the rule and the value.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any or (is_dataclass(kind) and type(value) is kind):  # such as one that was read before
        return value
    if origin in (UnionType, Union):  # the second is that of `Annotated`
        return None if value is None or (value == {} and is_dataclass(inner[0])) else parsed(inner[0], value, place)
    if origin is Annotated:
        found = parsed(inner[0], value, place, inner[1].words)
        return found if inner[1].holds(found) else _refuse(place, inner[1].words, value)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind(value) if value in list(kind) else _refuse(place, f"one of {', '.join(kind)}", value)
    plain: Any = dict if is_dataclass(kind) else origin or kind
    if type(value) is not plain and not (plain is float and type(value) is int):
        return _refuse(place, rule or WORDS[plain], value)
    if is_dataclass(kind):
        return _object(kind, value, place)
    if origin is list:
        return [parsed(inner[0], item, f"{place}[{number}]") for number, item in enumerate(value)]
    if origin is dict:
        return {_key(inner[0], key, place): parsed(inner[1], item, f"{place}.{key}") for key, item in value.items()}
    return value


def to_json(value: Any) -> Any:
    """Returns what `parsed` reads the value from; an optional field without a value is left out."""
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
    known = {_name(each): each for each in fields(kind)}
    needed = [name for name, each in known.items() if each.default is MISSING and each.default_factory is MISSING]
    if lacks := [name for name in needed if name not in content]:
        raise ValueError(f"{place} lacks {', '.join(lacks)}".lstrip())
    if unknown := [name for name in content if name not in known]:
        names = ", ".join(unknown)[:SHOWN]
        raise ValueError(f"{place} has {names}, which this version does not know".lstrip())
    values = {name: parsed(known[name].type, value, f"{place}.{name}".lstrip(".")) for name, value in content.items()}
    return kind(**{known[name].name: value for name, value in values.items()})


def _name(of: "Field[Any]") -> str:
    return str(of.metadata.get("name", of.name))


def _key(kind: type, key: str, place: str) -> Any:
    if kind is not int:
        return key
    is_one = key.isdecimal() and len(key) <= MOST_DIGITS
    return int(key) if is_one else _refuse(f"each name in {place}", WORDS[int], key)


def _refuse(place: str, rule: str, value: Any) -> Any:
    raise ValueError(f"{place} must be {rule}, got {json.dumps(value)[:SHOWN]}".lstrip())
