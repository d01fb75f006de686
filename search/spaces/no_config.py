"""Why a space gave no config."""

import inspect
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from optuna import TrialPruned

from storage import user_code
from trainable.config import ConfigError


class NoConfigError(ConfigError):
    """A space gave no config: its function raised, or what it returned breaks a rule.

    Attributes:
      place: file and line in the user's file; empty where they are not known.
      is_raised: by the function itself; else what it returned is no config that can be trained.
      is_rejected: the function raised `optuna.TrialPruned`, as Optuna's documentation has it.
    """

    def __init__(self, error: Exception, function: Callable[..., Any], params: Mapping[str, Any]) -> None:
        self.place = _place(error, function)
        self.is_raised, self.is_rejected = not isinstance(error, ConfigError), isinstance(error, TrialPruned)
        what = f"{type(error).__name__}: {error}" if self.is_raised else str(error)
        if code := getattr(function, "__code__", None):
            what += user_code.name_taken(error, code.co_filename)
        chosen = ", ".join(f"{name}={value}" for name, value in params.items())
        self.what = what.removesuffix(": ") + (f" (at {chosen})" if chosen else "")
        super().__init__(self.told_as(""))

    def told_as(self, words: str) -> str:
        return f"{self.place}: {words}{self.what}" if self.place else f"{words}{self.what}"


class OutsideError(ConfigError):
    """A value that the user gave is not in the range that the space has for it."""


def _place(error: Exception, function: Callable[..., Any]) -> str:
    """The line of the space function's own file at which it came to the error, as FILE:LINE, else its first line."""
    frames = traceback.extract_tb(error.__traceback__)  # the first one called the function
    file = frames[1].filename if len(frames) > 1 else ""
    if file and file != frames[0].filename:
        return f"{file}:{[frame.lineno for frame in frames if frame.filename == file][-1]}"
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else ""
