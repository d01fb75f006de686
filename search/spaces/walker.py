"""Stand-ins for an Optuna trial that return given values or every choice in turn, so that a space can be examined.

`NoConfigError` says why a space gave no config.
"""

import inspect
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from optuna import TrialPruned
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from sweep.storage import user_code
from sweep.trainable.config import ConfigError, TrialConfig

if TYPE_CHECKING:
    from sweep.search.spaces.space import Space

MOST_CORNERS = 5_000  # the walker visits that many in about a second


class NoConfigError(ConfigError):
    """A space gave no config: its function raised an error, or what it returned breaks a rule.

    Attributes:
      place: the line of the user's file, as FILE:LINE; empty if it is not known.
      what: the error in words, with the parameters at which it occurred.
      is_raised: whether the function itself raised the error; otherwise it returned no config that can be trained.
      is_rejected: whether the function raised `optuna.TrialPruned`, Optuna's way of rejecting a config.
    """

    def __init__(self, error: Exception, function: Callable[..., Any], params: Mapping[str, Any]) -> None:
        self.place = _place(error, function)
        self.is_raised, self.is_rejected = not isinstance(error, ConfigError), isinstance(error, TrialPruned)
        message = f"{type(error).__name__}: {error}" if self.is_raised else str(error)
        if code := getattr(function, "__code__", None):
            message += user_code.name_taken(error, code.co_filename)
        values = ", ".join(f"{name}={value}" for name, value in params.items())
        self.what = message.removesuffix(": ") + (f" (at {values})" if values else "")
        super().__init__(self.told_as(""))

    def told_as(self, words: str) -> str:
        """Returns the message: the place, then `words`, then what went wrong."""
        return f"{self.place}: {words}{self.what}" if self.place else f"{words}{self.what}"


class OutsideError(ConfigError):
    """A value that the user gave is not in the range that the space has for it."""


class Suggester(ABC):
    """A base class that implements the three suggest methods of an Optuna trial by one method, `choose`."""

    @abstractmethod
    def choose(self, name: str, distribution: BaseDistribution) -> Any:
        """Returns the value of a parameter, which must lie within the distribution."""

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """Returns one of the choices."""
        return self.choose(name, CategoricalDistribution(choices))

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """Returns a whole number in [low, high]."""
        return self.choose(name, IntDistribution(low, high, log=log, step=step))

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Returns a number in [low, high]."""
        return self.choose(name, FloatDistribution(low, high, log=log, step=step))


class Chosen(Suggester):
    """A trial that returns given values, and one end of the range of each parameter for which none is given.

    Args:
      params: the given values, each of which is checked against its range.
      end: which end is returned for the others: 0 for the first choice or lowest number, -1 for the last or highest.

    Attributes:
      used: the names of the given values that were asked for.
      lacking: the parameters that were asked for and not given, with their ranges.
    """

    def __init__(self, params: Mapping[str, Any], end: int = 0) -> None:
        self._params, self._end = params, end
        self.used: set[str] = set()
        self.lacking: dict[str, BaseDistribution] = {}

    def choose(self, name: str, distribution: BaseDistribution) -> Any:
        """Returns the given value, or one end of the range.

        Raises:
          OutsideError: the given value is not in the range.
        """
        if name not in self._params:
            self.lacking[name] = distribution
            return ends(distribution)[self._end]
        self.used.add(name)
        value = self._params[name]
        try:
            is_inside = distribution._contains(distribution.to_internal_repr(value))
        except (ValueError, TypeError):
            is_inside = False
        if not is_inside:
            raise OutsideError(f"{name}={value} is not in {_range_text(distribution)}")
        return value


class Walker(Suggester):
    """A trial that takes the choices on `path` in order and the first choice of each later parameter.

    Numbers are at the two `ends` of their ranges (0 for low, -1 for high) in turn.

    Args:
      apart: parameters that combine freely with all others; as for numbers, only the ends of their choices are taken.

    Attributes:
      config: the config that the choices make; None if the function rejects them.
      counts: for each categorical parameter that the space asked for, the number of its choices.
      positions: the position of the choice that was taken for each of these.
      ranges: the range of every parameter that the space asked for, by name.
      names_asked: the names that the space asked for, including those of fixed parameters.
    """

    config: TrialConfig | None = None

    def __init__(self, path: list[int], ends: tuple[int, int], apart: Collection[str] = ()) -> None:
        self._path, self._ends, self._apart = path, ends, apart
        self.counts: list[int] = []
        self.positions: list[int] = []
        self.ranges: dict[str, BaseDistribution] = {}
        self.names_asked: set[str] = set()

    def choose(self, name: str, distribution: BaseDistribution) -> Any:
        """Returns the next choice on the path, or an end of the range of a number."""
        if not isinstance(distribution, CategoricalDistribution) or name in self._apart:
            end = self._ends[len(self.ranges) % 2]
            self.ranges[name] = distribution
            return ends(distribution)[end]
        if name in self.ranges:  # it is asked for again and gets the same answer
            first = [n for n, d in self.ranges.items() if isinstance(d, CategoricalDistribution)].index(name)
            return distribution.choices[self.positions[first]]
        self.ranges[name] = distribution
        step = len(self.positions)
        self.positions.append(self._path[step] if step < len(self._path) else 0)
        self.counts.append(len(distribution.choices))
        return distribution.choices[self.positions[-1]]


def walk(space: "Space") -> Iterator[Walker]:
    """Yields a walker for every path of choices, with all numbers low, all high, and low and high in turn.

    Raises:
      ConfigError: a corner is no trainable config, all corners are rejected, or there are too many.
    """
    corners = trainable = 0
    last_rejection: NoConfigError | None = None
    for ends in ((0, 0), (-1, -1), (0, -1), (-1, 0)):
        pending: list[list[int]] = [[]]
        while pending:
            walker = Walker(pending.pop(), ends, space.addition.plain if space.addition else ())
            try:
                walker.config = space.config(walker)
                trainable += 1
            except NoConfigError as error:
                if not error.is_rejected:
                    prefix = f"the space function {getattr(space.function, '__qualname__', space.function)} raised "
                    flags = "".join(f" --fix {name}={value}" for name, value in space.fixed.items())
                    subject = f"with{flags} the space" if flags else "the space"
                    words = prefix if error.is_raised else f"{subject} has a corner that cannot be trained: "
                    raise ConfigError(error.told_as(words)) from error
                last_rejection = error
            yield walker
            corners += 1
            if corners > MOST_CORNERS:
                raise ConfigError(f"the space has more than {MOST_CORNERS} corners; give it fewer choices")
            start = len(walker._path)
            for step in range(start, len(walker.positions)):
                pending += [[*walker.positions[:step], other] for other in range(1, walker.counts[step])]
    if last_rejection and not trainable:
        words = "the space has no corner that can be trained: its function rejects all of them, the last one by "
        raise ConfigError(last_rejection.told_as(words))


def ends(distribution: BaseDistribution) -> tuple[Any, Any]:
    """Returns the first and the last choice, or the lowest and the highest number."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[0], distribution.choices[-1]
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    return distribution.low, distribution.high


def _range_text(distribution: BaseDistribution) -> str:
    if isinstance(distribution, CategoricalDistribution):
        return f"{list(distribution.choices)}"
    low, high = ends(distribution)
    return f"[{low}, {high}]"


def _place(error: Exception, function: Callable[..., Any]) -> str:
    """Returns the last line of the space function's file that led to the error as FILE:LINE, else its first line."""
    frames = traceback.extract_tb(error.__traceback__)  # the first frame is the one that called the function
    file = frames[1].filename if len(frames) > 1 else ""
    if file and file != frames[0].filename:
        return f"{file}:{[frame.lineno for frame in frames if frame.filename == file][-1]}"
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else ""
