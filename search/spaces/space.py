"""A search space: an Optuna define-by-run function that returns a `TrialConfig`, and what bounds it."""

import inspect
import json
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Protocol

from optuna import TrialPruned
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)

from storage import user_code
from trainable.config import (
    MULTIPLE,
    SHAPE_FIELDS,
    ConfigError,
    TrialConfig,
    check_field,
    plain_value,
    unknown_name,
)
from trainable.models import family_of

MOST_CORNERS = 5_000  # of a space, which the walker follows in a second


# What else an Optuna trial can do, and what a space function does instead.
OLD_SUGGEST = "Optuna has taken it out: use `trial.suggest_float(name, low, high{more})`"
INSTEAD = {
    "suggest_uniform": OLD_SUGGEST.format(more=""),
    "suggest_loguniform": OLD_SUGGEST.format(more=", log=True"),
    "suggest_discrete_uniform": OLD_SUGGEST.format(more=", step=q"),
    "number": "a config must follow from its parameters alone; each trial has a seed of its own already",
    "report": "the training reports each epoch itself",
    "should_prune": "--pruner decides that while the trial is trained; to reject a config, raise optuna.TrialPruned()",
    "set_user_attr": "what is to be kept of a trial is in its config; leave the call out",
    "set_constraint": "to reject a config, raise optuna.TrialPruned()",
}
MAY_BE_ASKED = "a space function may call suggest_categorical, suggest_float and suggest_int, and read params"


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


class NoConfigError(ConfigError):
    """A space gave no config: its function raised, or what it returned breaks a rule.

    Attributes:
      place: file and line in the user's file; empty where they are not known.
      is_raised: by the function itself; else what it returned is no config that can be trained.
      is_rejected: the function raised `optuna.TrialPruned`, as Optuna's documentation has it.
    """

    def __init__(self, error: Exception, function: Function, params: Mapping[str, Any]) -> None:
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


class _OutsideError(ConfigError):
    """A value that the user gave is not in the range that the space has for it."""


def _place(error: Exception, function: Function) -> str:
    """The line of the space function's own file at which it came to the error, as FILE:LINE, else its first line."""
    frames = traceback.extract_tb(error.__traceback__)[1:]  # the first one called the function
    if frames and frames[0].filename != __file__:
        return f"{frames[0].filename}:{[f.lineno for f in frames if f.filename == frames[0].filename][-1]}"
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else ""


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
          NoConfigError: the function raised something or returned something else, or a fixed value breaks a rule.
        """
        bounded = _Bounded(trial, self.fixed, self.max_epochs)
        try:
            return self._with_fixed(self.function(bounded))
        except _OutsideError:
            raise
        except Exception as error:  # the user's function: whatever it raises is theirs to mend
            raise NoConfigError(error, self.function, bounded.params) from error

    def _with_fixed(self, config: TrialConfig) -> TrialConfig:
        if not isinstance(config, TrialConfig):
            raise ConfigError(f"the space function must return a TrialConfig, got {type(config).__name__}")
        names = {field.name for field in fields(TrialConfig)}
        names -= set(SHAPE_FIELDS) - family_of(config.arch).shape.keys()  # a fixed shape is for those that have it
        values = config.to_dict() | {name: value for name, value in self.fixed.items() if name in names}
        values["epochs"] = min(values["epochs"], self.max_epochs)
        return TrialConfig.from_dict(values)

    def table(self) -> dict[str, dict[str, Any]]:
        """What 'same space' means: for each parameter its range, for each field of a branch its constant value.

        Follows every choice, with numbers at their ends. A corner that the function rejects by
        `optuna.TrialPruned` counts for the ranges alone.

        Raises:
          ConfigError: a corner is no trainable config, all of them are rejected, the space is too large, or a
            fixed name is neither a parameter nor a field.
        """
        ranges: dict[str, set[str]] = {}
        fields_seen: dict[str, dict[str, set[str]]] = {}
        asked: set[str] = set()
        for walker in _walk(self):
            for name, distribution in walker.ranges.items():
                ranges.setdefault(name, set()).add(distribution_to_json(distribution))
            asked |= walker.asked
            if walker.config is None:
                continue
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
            if walker.config is None:
                continue
            nets[tuple(getattr(walker.config, name) for name in ("arch", *SHAPE_FIELDS))] = walker.config
        return list(nets.values())

    def corners(self) -> list[TrialConfig]:
        """Returns the configs at the corners of the space."""
        return list(dict.fromkeys(walker.config for walker in _walk(self) if walker.config is not None))

    def missing(self, params: Mapping[str, Any]) -> list[str]:
        """The parameters that a config made of `params` still lacks; the sampler draws them.

        Raises:
          ConfigError: a value is out of its range, differs from a fixed one, or its name is not asked for; or the
            space has no config with these parameters, wherever those that are left out lie.
        """
        chooser = _Chosen(params, end=0)
        try:
            config = self.config(chooser)
        except NoConfigError:
            if not chooser.lacking:
                raise
            chooser = _Chosen(params, end=-1)  # it may be what was left out that does not go with the rest
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
        params, epochs = dict(given), given.get("epochs")
        if isinstance(epochs, int | float) and epochs > self.max_epochs:
            raise ConfigError(
                f"epochs={epochs} is more than --max-epochs {self.max_epochs}; raise that, or give fewer epochs here"
            )
        chooser = self._asked(given)
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
        """The architectures among which a parameter `arch` chooses; none where it chooses something else."""
        arch = self._asked({}).lacking.get("arch")
        choices = arch.choices if isinstance(arch, CategoricalDistribution) else ()
        return tuple(str(choice) for choice in choices) if all(map(self._is_arch, choices)) else ()

    def _is_arch(self, choice: Any) -> bool:
        """Returns whether this choice of the parameter `arch` is the architecture of the config, as far as it shows."""
        try:
            return self.chosen({"arch": choice}).arch == choice
        except NoConfigError:  # not with all the rest at its low end
            return isinstance(choice, str)

    def _asked(self, params: Mapping[str, Any]) -> "_Chosen":
        """Returns what the function asks for beside `params`, as far as it comes: these may be no config together."""
        chooser = _Chosen(params)
        with suppress(NoConfigError):
            self.config(chooser)
        return chooser

    def chosen(self, params: Mapping[str, Any]) -> TrialConfig:
        """The config of these parameters; those that are left out are at their low end."""
        return self.config(_Chosen(params))

    def capped(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """`params` within the epochs allowed, without what is fixed."""
        fields = {f"{field}{MULTIPLE}" for field in self.fixed}
        free = {name: value for name, value in params.items() if name not in self.fixed and name not in fields}
        return free | ({"epochs": min(free["epochs"], self.max_epochs)} if "epochs" in free else {})


class _Bounded:
    """A trial that answers fixed parameters itself and keeps `epochs` within the largest number allowed.

    Numbers of numpy's are taken as Python's, for the ledger holds no others.

    Attributes:
      params: what was answered so far, by name.
    """

    def __init__(self, trial: Suggests, fixed: Mapping[str, Any], max_epochs: int) -> None:
        self._trial, self._fixed, self._max_epochs = trial, fixed, max_epochs
        self.params: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise AttributeError(f"`trial.{name}` is not for a space: {INSTEAD.get(name, MAY_BE_ASKED)}")

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        choices = [plain_value(choice) for choice in choices]
        for choice in choices:
            if not isinstance(choice, None | bool | int | float | str):
                raise ConfigError(
                    f"`{name}`: a choice must be None, a bool, an int, a float or a str, got {choice!r}; "
                    "let it choose a name, and look up what the name stands for"
                )
        if not self._is_fixed(name):
            return self._answer(name, self._trial.suggest_categorical(name, choices))
        return self._answer(name, self._fixed[name])

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        low, high, step = plain_value(low), plain_value(high), plain_value(step)
        if name == "epochs":
            low, high = min(low, self._max_epochs), min(high, self._max_epochs)
        if self._is_fixed(name):
            value = self._fixed[name]
            whole = isinstance(value, float) and value.is_integer()
            return self._answer(name, int(value) if whole else value)
        return self._answer(name, self._trial.suggest_int(name, low, high, step=step, log=bool(log)))

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        low, high, step = plain_value(low), plain_value(high), plain_value(step)
        if self._is_fixed(name):
            return self._answer(name, float(self._fixed[name]))
        if name.endswith(MULTIPLE) and name.removesuffix(MULTIPLE) in self._fixed:
            return 1.0  # whatever it is, the field has its fixed value
        return self._answer(name, self._trial.suggest_float(name, low, high, step=step, log=bool(log)))

    def _answer(self, name: str, value: Any) -> Any:
        self.params[name] = value
        return value

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
    """Answers with given values, each checked against its range, and at one `end` (0, -1) where none is given."""

    def __init__(self, params: Mapping[str, Any], end: int = 0) -> None:
        self._params, self._end = params, end
        self.used: set[str] = set()
        self.lacking: dict[str, BaseDistribution] = {}

    def choose(self, name: str, distribution: BaseDistribution) -> Any:
        if name not in self._params:
            self.lacking[name] = distribution
            return _ends(distribution)[self._end]
        self.used.add(name)
        value = self._params[name]
        try:
            inside = distribution._contains(distribution.to_internal_repr(value))
        except (ValueError, TypeError):
            inside = False
        if not inside:
            raise _OutsideError(f"{name}={value} is not in {_range_text(distribution)}")
        return value


class _Walker(_Suggester):
    """Takes the choices on `path` in order, then the first of each; numbers at the two `ends` (0, -1) in turn.

    Attributes:
      config: what they make; None where the function rejects them.
    """

    config: TrialConfig | None = None

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
    """Every path of choices, with numbers all at their low end, all at their high end, and at either in turn.

    Raises:
      ConfigError: a corner is no trainable config, all of them are rejected, or there are too many.
    """
    seen = trainable = 0
    rejected: NoConfigError | None = None
    for ends in ((0, 0), (-1, -1), (0, -1), (-1, 0)):
        pending: list[list[int]] = [[]]
        while pending:
            walker = _Walker(pending.pop(), ends)
            try:
                walker.config = space.config(walker)
                trainable += 1
            except NoConfigError as error:
                if not error.is_rejected:
                    name = getattr(space.function, "__qualname__", space.function)
                    raised = f"the space function {name} raised "
                    fixed = "".join(f" --fix {name}={value}" for name, value in space.fixed.items())
                    under = f"with{fixed} the space" if fixed else "the space"
                    words = raised if error.is_raised else f"{under} has a corner that cannot be trained: "
                    raise ConfigError(error.told_as(words)) from error
                rejected = error
            yield walker
            seen += 1
            if seen > MOST_CORNERS:
                raise ConfigError(f"the space has more than {MOST_CORNERS} corners; give it fewer choices")
            start = len(walker._path)
            for step in range(start, len(walker.taken)):
                pending += [[*walker.taken[:step], other] for other in range(1, walker.counts[step])]
    if rejected and not trainable:
        words = "the space has no corner that can be trained: its function rejects all of them, the last one by "
        raise ConfigError(rejected.told_as(words))


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


def read_fixed(pairs: tuple[str, ...]) -> dict[str, Any]:
    """Returns the values of `NAME=VALUE` pairs by their names: numbers, true and false as one writes them, else text.

    Raises:
      ConfigError: a pair has no `=`, a name comes twice, or no config can have the value.
    """
    fixed: dict[str, Any] = {}
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
    if field is None or name == "seed":  # of the user's own space, or refused later
        return value
    if "int" in str(field.type) and isinstance(value, float) and value.is_integer():
        value = int(value)  # 1e2
    try:
        check_field(name, value)
    except ConfigError as error:
        example = "small_resnet" if name == "arch" else field.default
        way_out = "" if example is None else f"; give another value, for instance --fix {name}={example}"
        raise ConfigError(f"--fix {name}={text}: {error}{way_out}") from None
    return value


def _read_value(text: str) -> Any:
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    if text.lower() in ("true", "false"):  # as Python has them
        return text.lower() == "true"
    with suppress(ValueError):
        return float(text)  # .01, which JSON does not have
    return text


def with_seed(config: TrialConfig, seed: int) -> TrialConfig:
    return replace(config, seed=seed)
