"""Reads the values of --fix, which takes hyperparameters out of the search."""

import json
from contextlib import suppress
from dataclasses import fields
from typing import Any

from sweep.storage import user_code
from sweep.storage.sweep_file import Values
from sweep.trainable.config import ConfigError, TrialConfig, check_field


def read_fixed(pairs: tuple[str, ...]) -> Values:
    """Returns the values of `NAME=VALUE` pairs by name: numbers, true and false where they parse as such, else text.

    Raises:
      ConfigError: a pair has no `=`, a name is given twice, or no config can have the value.
    """
    fixed: Values = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise ConfigError(f"--fix {pair}: must be NAME=VALUE, for instance --fix epochs=20")
        if name in fixed:
            raise ConfigError(f"--fix {name} is given twice; leave one out")
        fixed[name] = _fixed_value(name, text)
    return fixed


def _fixed_value(name: str, text: str) -> Any:
    value = _read_value(text)
    if name == "arch" and user_code.is_reference(text):
        return user_code.name(text, "--fix arch=")
    field = {field.name: field for field in fields(TrialConfig)}.get(name)
    if field is None or name == "seed":  # a parameter of the user's own space, or a name that is refused later
        return value
    if "int" in str(field.type) and isinstance(value, float) and value.is_integer():
        value = int(value)  # 1e2
    try:
        check_field(name, value)
    except ConfigError as error:
        way_out = "" if field.default is None else f"; give another value, for instance --fix {name}={field.default}"
        raise ConfigError(f"--fix {name}={text}: {error}{way_out}") from None
    return value


def _read_value(text: str) -> Any:
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    if text.lower() in ("true", "false"):  # Python's spelling, which JSON does not read
        return text.lower() == "true"
    with suppress(ValueError):
        return float(text)  # .01, which JSON does not read
    return text
