"""A search space: an Optuna define-by-run function that returns a `TrialConfig`, and what bounds it."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, Protocol

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)

from trainable.config import FAMILIES, MULTIPLE, SHAPE_FIELDS, TORCHVISION, ConfigError, TrialConfig, unknown_name

MOST_CORNERS = 5_000  # of a space, which the walker follows in a second


class Suggests(Protocol):
    """What a space function may ask of its trial: the three methods of `optuna.Trial`."""

    def suggest_categorical(self, name: str, choices: Any) -> Any: ...
    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int: ...
    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float: ...


Function = Callable[[Any], TrialConfig]


def suggest_multiple(trial: Suggests, field: str, reference: float, low: float, high: float) -> float:
    """Returns a value for a field of `TrialConfig`, drawn as a multiple of a reference on a log scale.

    The sampler's parameter is `FIELD_multiple`, in [low, high], so that what it learns of one optimizer or family
    holds for the others. Configs, tables and reports have the value itself.
    """
    multiple = trial.suggest_float(f"{field}{MULTIPLE}", low, high, log=True)
    return float(f"{reference * multiple:.6g}")  # a rate of exactly 0.001 is a multiple of 0.05 as well


@dataclass(frozen=True)
class Space:
    """A space function with what the user fixed and how many epochs a trial may have.

    Attributes:
      fixed: values by the name of a parameter of the function, or of a field of `TrialConfig`.
    """

    function: Function
    fixed: Mapping[str, Any]
    max_epochs: int

    def config(self, trial: Suggests) -> TrialConfig:
        """The config that `trial` chooses; its seed is the caller's to set.

        Raises:
          ConfigError: the function returned something else, or a fixed value breaks a rule.
        """
        config = self.function(_Bounded(trial, self.fixed, self.max_epochs))
        if not isinstance(config, TrialConfig):
            raise ConfigError(f"the space function must return a TrialConfig, got {type(config).__name__}")
        names = {field.name for field in fields(TrialConfig)}
        reads = FAMILIES.get(config.arch, TORCHVISION)  # a fixed shape is for the architectures that have it
        names -= set(SHAPE_FIELDS) - reads
        values = config.to_dict() | {name: value for name, value in self.fixed.items() if name in names}
        values["epochs"] = min(values["epochs"], self.max_epochs)
        return TrialConfig.from_dict(values)

    def table(self) -> dict[str, dict[str, Any]]:
        """What 'same space' means: for each parameter its range, for each field of a branch its constant value.

        Follows every choice, with numbers at their ends.

        Raises:
          ConfigError: a corner is no trainable config, the space is empty or too large, or a
            fixed name is neither a parameter nor a field.
        """
        ranges: dict[str, set[str]] = {}
        fields_seen: dict[str, dict[str, set[str]]] = {}
        asked: set[str] = set()
        for walker in _walk(self):
            for name, distribution in walker.ranges.items():
                ranges.setdefault(name, set()).add(distribution_to_json(distribution))
            asked |= walker.asked
            branch = fields_seen.setdefault(f"arch={walker.config.arch}", {})
            for name, value in walker.config.to_dict().items():
                branch.setdefault(name, set()).add(json.dumps(value))
        self._check_fixed(asked, {name for branch in fields_seen.values() for name in branch})
        for name, found in ranges.items():
            if len(found) > 1 and any("Categorical" in text for text in found):  # Optuna refuses it at the second draw
                raise ConfigError(f"the space asks for `{name}` with different choices; give each its own name")
        table: dict[str, dict[str, Any]] = {"ranges": {name: sorted(found) for name, found in sorted(ranges.items())}}
        for name, values in sorted(fields_seen.items()):
            table[name] = {field: sorted(found) for field, found in values.items()}
        return table

    def _check_fixed(self, asked: set[str], set_somewhere: set[str]) -> None:
        for name, value in self.fixed.items():
            if name == "seed":
                raise ConfigError("--fix seed: each trial has its own, made from the sweep's; give --seed")
            if name == "epochs" and value > self.max_epochs:
                raise ConfigError(f"--fix epochs={value} is more than --max-epochs {self.max_epochs}; raise that too")
            if name in asked or name in set_somewhere:
                continue
            if name in SHAPE_FIELDS:
                raise ConfigError(f"--fix {name}: no architecture of this space has a `{name}`")
            known = asked | {field.name for field in fields(TrialConfig)}
            raise ConfigError(f"--fix {name}: {unknown_name(name, dict.fromkeys(sorted(known)))}")

    def architectures(self) -> list[TrialConfig]:
        """One config for each net at the corners of the space."""
        nets = {}
        for walker in _walk(self):
            nets[tuple(getattr(walker.config, name) for name in ("arch", *SHAPE_FIELDS))] = walker.config
        return list(nets.values())

    def missing(self, params: Mapping[str, Any]) -> list[str]:
        """The parameters that a config made of `params` still lacks; the sampler draws them.

        Raises:
          ConfigError: a value is out of its range, differs from a fixed one, or its name is not asked for.
        """
        chooser = _Chosen(params)
        config = self.config(chooser)
        unused = set(params) - chooser.used
        for name in sorted(unused):
            if name not in self.fixed:
                raise ConfigError(f"`{name}` is not a parameter of arch={config.arch} in this space")
            if params[name] != self.fixed[name]:
                raise ConfigError(f"{name}={params[name]} differs from --fix {name}={self.fixed[name]}")
        return list(chooser.lacking)

    def parameters(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Returns `given` with the value of each field that this space draws as a multiple turned into the multiple.

        Raises:
          ConfigError: a value is out of its range, or a choice that its reference depends on is not given with it.
        """
        params = dict(given)
        chooser = _Chosen(given)
        self.config(chooser)
        for name, distribution in chooser.lacking.items():
            field = name.removesuffix(MULTIPLE)
            if field == name or field not in given or field in chooser.used:
                continue
            value = params.pop(field)
            reference = self._reference(params, field, chooser.lacking)
            assert isinstance(distribution, FloatDistribution)
            low, high = reference * distribution.low, reference * distribution.high
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise ConfigError(f"{field}={value} is not in [{low:.6g}, {high:.6g}]")
            params[name] = min(max(value / reference, distribution.low), distribution.high)
        return params

    def _reference(self, params: Mapping[str, Any], field: str, lacking: Mapping[str, BaseDistribution]) -> float:
        """Returns the value of a field whose multiple is 1."""
        params = {**params, f"{field}{MULTIPLE}": 1.0}
        reference = getattr(self.chosen(params), field)
        for name, distribution in lacking.items():
            for choice in distribution.choices if isinstance(distribution, CategoricalDistribution) else ():
                if getattr(self.chosen({**params, name: choice}), field) != reference:
                    raise ConfigError(
                        f"`{field}` needs `{name}` beside it, for it is drawn as a multiple of a reference that "
                        f"depends on that"
                    )
        return reference

    @cached_property
    def families(self) -> tuple[str, ...]:
        """The architectures among which the space lets the sampler choose; none where there is one alone."""
        chooser = _Chosen({})
        self.config(chooser)
        arch = chooser.lacking.get("arch")
        return tuple(map(str, arch.choices)) if isinstance(arch, CategoricalDistribution) else ()

    def chosen(self, params: Mapping[str, Any]) -> TrialConfig:
        """The config of these parameters; those that are left out are at their low end."""
        return self.config(_Chosen(params))

    def capped(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """`params` within the epochs allowed, without what is fixed."""
        fields = {f"{field}{MULTIPLE}" for field in self.fixed}
        free = {name: value for name, value in params.items() if name not in self.fixed and name not in fields}
        return free | ({"epochs": min(free["epochs"], self.max_epochs)} if "epochs" in free else {})


class _Bounded:
    """A trial that answers fixed parameters itself and keeps `epochs` within the largest number allowed."""

    def __init__(self, trial: Suggests, fixed: Mapping[str, Any], max_epochs: int) -> None:
        self._trial, self._fixed, self._max_epochs = trial, fixed, max_epochs

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        return self._fixed[name] if self._is_fixed(name) else self._trial.suggest_categorical(name, choices)

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        if name == "epochs":
            low, high = min(low, self._max_epochs), min(high, self._max_epochs)
        if self._is_fixed(name):
            return self._fixed[name]
        return self._trial.suggest_int(name, low, high, step=step, log=log)

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        if self._is_fixed(name):
            return float(self._fixed[name])
        if name.endswith(MULTIPLE) and name.removesuffix(MULTIPLE) in self._fixed:
            return 1.0  # whatever it is, the field has its fixed value
        return self._trial.suggest_float(name, low, high, step=step, log=log)

    def _is_fixed(self, name: str) -> bool:
        if isinstance(self._trial, _Walker):
            self._trial.asked.add(name)
        return name in self._fixed


class _Suggester(ABC):
    """The three suggest methods over one: `choose`."""

    @abstractmethod
    def choose(self, name: str, distribution: BaseDistribution) -> Any: ...

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        return self.choose(name, CategoricalDistribution(choices))

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        return self.choose(name, IntDistribution(low, high, log=log, step=step))

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        return self.choose(name, FloatDistribution(low, high, log=log, step=step))


class _Chosen(_Suggester):
    """Answers with given values, each checked against its range, and at the low end where none is given."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params = params
        self.used: set[str] = set()
        self.lacking: dict[str, BaseDistribution] = {}

    def choose(self, name: str, distribution: BaseDistribution) -> Any:
        if name not in self._params:
            self.lacking[name] = distribution
            return _ends(distribution)[0]
        self.used.add(name)
        value = self._params[name]
        try:
            inside = distribution._contains(distribution.to_internal_repr(value))
        except (ValueError, TypeError):
            inside = False
        if not inside:
            raise ConfigError(f"{name}={value} is not in {_range_text(distribution)}")
        return value


class _Walker(_Suggester):
    """Takes the choices on `path` in order, then the first of each; numbers at the two `ends` (0, -1) in turn."""

    config: TrialConfig

    def __init__(self, path: list[int], ends: tuple[int, int]) -> None:
        self._path, self._ends = path, ends
        self.counts: list[int] = []  # choices at each categorical met
        self.taken: list[int] = []
        self.ranges: dict[str, BaseDistribution] = {}
        self.asked: set[str] = set()

    def choose(self, name: str, distribution: BaseDistribution) -> Any:
        if not isinstance(distribution, CategoricalDistribution):
            end = self._ends[len(self.ranges) % 2]
            self.ranges[name] = distribution
            return _ends(distribution)[end]
        if name in self.ranges:  # asked for again: the same answer
            first = [n for n, d in self.ranges.items() if isinstance(d, CategoricalDistribution)].index(name)
            return distribution.choices[self.taken[first]]
        self.ranges[name] = distribution
        step = len(self.taken)
        self.taken.append(self._path[step] if step < len(self._path) else 0)
        self.counts.append(len(distribution.choices))
        return distribution.choices[self.taken[-1]]


def _walk(space: Space) -> Iterator[_Walker]:
    """Every path of choices, with numbers all at their low end, all at their high end, and at either in turn."""
    seen = 0
    for ends in ((0, 0), (-1, -1), (0, -1), (-1, 0)):
        pending: list[list[int]] = [[]]
        while pending:
            walker = _Walker(pending.pop(), ends)
            try:
                walker.config = space.config(walker)
            except ConfigError as error:
                raise ConfigError(f"the space has a corner that cannot be trained: {error}") from error
            except Exception as error:  # the user's function: whatever it raises is theirs to mend
                name = getattr(space.function, "__qualname__", space.function)
                raise ConfigError(f"the space function {name} raised {type(error).__name__}: {error}") from error
            yield walker
            seen += 1
            if seen > MOST_CORNERS:
                raise ConfigError(f"the space has more than {MOST_CORNERS} corners; give it fewer choices")
            start = len(walker._path)
            for step in range(start, len(walker.taken)):
                pending += [[*walker.taken[:step], other] for other in range(1, walker.counts[step])]


def _ends(distribution: BaseDistribution) -> tuple[Any, Any]:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[0], distribution.choices[-1]
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    return distribution.low, distribution.high


def _range_text(distribution: BaseDistribution) -> str:
    if isinstance(distribution, CategoricalDistribution):
        return f"{list(distribution.choices)}"
    low, high = _ends(distribution)
    return f"[{low}, {high}]"


class _NoCache(SourceFileLoader):
    """Leaves no `__pycache__` beside a file of the user's, and takes nothing of before from there."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def load_function(reference: str) -> Function:
    """The function of `FILE.py:FUNCTION`.

    Raises:
      ConfigError: there is no such file or function, or the file does not run.
    """
    file, _, name = reference.rpartition(":")
    path = Path(file)
    if not file or not path.is_file():
        raise ConfigError(f"--space {reference}: must be FILE.py:FUNCTION with an existing file")
    if path.suffix != ".py":
        raise ConfigError(f"--space {reference}: {path} is no Python file")
    module = ModuleType(path.stem)
    module.__file__ = str(path)
    try:
        _NoCache(path.stem, str(path)).exec_module(module)
    except Exception as error:  # the user's code: whatever it raises is theirs to mend
        raise ConfigError(f"--space {reference}: {path} does not run: {type(error).__name__}: {error}") from error
    if not callable(getattr(module, name, None)):
        raise ConfigError(f"--space {reference}: {path} has no function `{name}`")
    return getattr(module, name)


def read_fixed(pairs: tuple[str, ...]) -> dict[str, Any]:
    """`NAME=VALUE` pairs, values as JSON where they are, else as text.

    Raises:
      ConfigError: a pair has no `=`, or a name comes twice.
    """
    fixed: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise ConfigError(f"--fix {pair}: must be NAME=VALUE")
        if name in fixed:
            raise ConfigError(f"--fix {name} is given twice")
        try:
            fixed[name] = json.loads(text)
        except json.JSONDecodeError:
            fixed[name] = text
    return fixed


def with_seed(config: TrialConfig, seed: int) -> TrialConfig:
    return replace(config, seed=seed)
