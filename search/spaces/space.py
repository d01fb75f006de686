"""A search space: an Optuna define-by-run function that returns a `TrialConfig`, and the limits that apply to it."""

import json
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

from optuna import Trial
from optuna.distributions import CategoricalDistribution, distribution_to_json

from sweep.search.spaces.bounded import Bounded
from sweep.search.spaces.field_names import as_parameters
from sweep.search.spaces.walker import Chosen, NoConfigError, OutsideError, Suggester, walk
from sweep.storage import user_code
from sweep.storage.sweep_file import Table, Values
from sweep.trainable.config import MULTIPLE, SHAPE_FIELDS, UNHANDLED, ConfigError, TrialConfig, unknown_name
from sweep.trainable.models import family_of, unread_fields

# What a space function receives as its trial; it may call the three suggest methods.
Suggests = Trial | Suggester
Function = Callable[[Any], TrialConfig]


def suggest_multiple(trial: Suggests, field: str, reference: float, low: float, high: float) -> float:
    """Draws a value for a field of `TrialConfig` as a multiple of a reference, on a log scale.

    The sampler sees the parameter `FIELD_multiple`, in [low, high], so that what it learns with one optimizer or family
    also holds for the others. Configs, tables and reports contain the value itself.
    """
    multiple = trial.suggest_float(f"{field}{MULTIPLE}", low, high, log=True)
    return float(f"{reference * multiple:.6g}")  # rounded, so that 0.05 times some multiple is exactly 0.001


@dataclass(frozen=True)
class Addition:
    """Parameters that are drawn beside those of a space because the data asks for them.

    Attributes:
      suggest: returns values for fields of `TrialConfig`, each drawn under the name of its field. They may be combined
        freely with each other and with any config.
      plain: by field name, the values that leave a config as it would be without the addition.
    """

    suggest: Callable[[Any], Values]
    plain: Mapping[str, Any]


@dataclass(frozen=True)
class Space:
    """A space function together with the values that the user fixed and the largest number of epochs.

    Attributes:
      function: draws a config from an Optuna trial or a stand-in for one.
      fixed: values by the name of a parameter of the function, or of a field of `TrialConfig`.
      max_epochs: the most epochs that a config may have; larger numbers are reduced to it.
      addition: further parameters; None if the parameters of the function are all that is searched.
    """

    function: Function
    fixed: Mapping[str, Any]
    max_epochs: int
    addition: Addition | None = None

    def config(self, trial: Suggests) -> TrialConfig:
        """Returns the config that `trial` chooses; the caller sets its seed.

        Raises:
          NoConfigError: the function raised an error or returned something that is no config, or a fixed value breaks a
            rule.
        """
        bounded = Bounded(trial, self.fixed, self.max_epochs)
        try:
            return self._with_fixed(self._with_addition(self.function(bounded), bounded))
        except (OutsideError, user_code.NotNamedError):
            raise
        except Exception as error:  # the user wrote the function and has to mend whatever it raises
            raise NoConfigError(error, self.function, bounded.params) from error

    def _with_addition(self, config: TrialConfig, trial: Bounded) -> TrialConfig:
        if not isinstance(config, TrialConfig):
            raise ConfigError(f"the space function must return a TrialConfig, got {type(config).__name__}")
        return replace(config, **self.addition.suggest(trial)) if self.addition else config

    def _with_fixed(self, config: TrialConfig) -> TrialConfig:
        names = {field.name for field in fields(TrialConfig)}
        family = family_of(config.arch)
        names -= set(SHAPE_FIELDS) - family.fields  # a fixed shape applies only to families that have such a field
        names -= {"epochs"} if family.train else set()  # a head has one epoch, whatever the other families have
        values = config.to_dict() | {name: value for name, value in self.fixed.items() if name in names}
        values["epochs"] = min(values["epochs"], self.max_epochs)
        return TrialConfig.from_dict(values)

    def table(self) -> Table:
        """Returns the table by which two spaces count as the same one.

        It has the ranges of each parameter and, for each architecture, the values that each field takes at the corners.
        The corners are found by following every choice, with numbers at the ends of their ranges. A corner that the
        function rejects with `optuna.TrialPruned` counts only for the ranges.

        Raises:
          ConfigError: a corner is no trainable config, all corners are rejected, the space is too large, or a fixed
            name is neither a parameter nor a field.
        """
        ranges: dict[str, set[str]] = {}
        fields_seen: dict[str, dict[str, set[str]]] = {}
        names_asked: set[str] = set()
        for walker in walk(self):
            for name, distribution in walker.ranges.items():
                ranges.setdefault(name, set()).add(distribution_to_json(distribution))
            names_asked |= walker.names_asked
            if walker.config is None:
                continue
            branch = fields_seen.setdefault(f"arch={walker.config.arch}", {})
            for name, value in walker.config.to_dict().items():
                branch.setdefault(name, set()).add(json.dumps(value))
        self._check_fixed(names_asked, {name for branch in fields_seen.values() for name in branch} | UNHANDLED.keys())
        self._check_read([json.loads(arch) for branch in fields_seen.values() for arch in branch["arch"]])
        for name, texts in ranges.items():
            if len(texts) > 1 and any("Categorical" in text for text in texts):  # Optuna would fail at the second draw
                raise ConfigError(f"the space asks for `{name}` with different choices; give each its own name")
        table: Table = {"ranges": {name: sorted(texts) for name, texts in sorted(ranges.items())}}
        for name, values in sorted(fields_seen.items()):
            table[name] = {field: sorted(texts) for field, texts in values.items()}
        return table

    def _check_fixed(self, names_asked: set[str], fields_set: set[str]) -> None:
        for name, value in self.fixed.items():
            if name == "seed":
                raise ConfigError("--fix seed: each trial has its own, made from the sweep's; give --seed")
            if name == "epochs" and value > self.max_epochs:
                raise ConfigError(f"--fix epochs={value} is more than --max-epochs {self.max_epochs}; raise that too")
            if name in names_asked or name in fields_set:
                continue
            if name in SHAPE_FIELDS:
                raise ConfigError(f"--fix {name}: no architecture of this space has a `{name}`")
            names = names_asked | {field.name for field in fields(TrialConfig)}
            raise ConfigError(f"--fix {name}: {unknown_name(name, dict.fromkeys(sorted(names)))}")

    def _check_read(self, archs: Collection[str]) -> None:
        """Checks that at least one of these architectures uses each fixed field."""
        unread = [unread_fields(arch) for arch in archs]
        for name in self.fixed:
            if unread and name in frozenset.intersection(*unread):
                raise ConfigError(f"--fix {name}: changes nothing for {' or '.join(sorted(archs))}; leave it out")

    def corners(self) -> list[TrialConfig]:
        """Returns the configs at the corners of the space."""
        return list(dict.fromkeys(walker.config for walker in walk(self) if walker.config is not None))

    def missing(self, params: Mapping[str, Any]) -> list[str]:
        """Returns the parameters that a config made of `params` still lacks, which the sampler then draws.

        Raises:
          ConfigError: a value is out of its range or differs from a fixed one, the space does not ask for a name, or it
            has no config with these parameters, neither with the missing ones at their low ends nor at their high ends.
        """
        chooser = Chosen(params, end=0)
        try:
            config = self.config(chooser)
        except NoConfigError:
            if not chooser.lacking:
                raise
            chooser = Chosen(params, end=-1)  # perhaps only the low ends of the missing parameters do not fit the rest
            config = self.config(chooser)
        unused = set(params) - chooser.used
        for name in sorted(unused):
            if name not in self.fixed:
                constant = getattr(config, name, None) if name != "seed" else None
                hint = "" if constant is None else f", where it is always {constant}"
                raise ConfigError(f"`{name}` is not a parameter of arch={config.arch} in this space{hint}")
            if params[name] != self.fixed[name]:
                raise ConfigError(f"{name}={params[name]} differs from --fix {name}={self.fixed[name]}")
        return list(chooser.lacking)

    def parameters(self, values: Mapping[str, Any]) -> Values:
        """Returns values that a person gave, by names of parameters or of config fields, as parameters of this space.

        Raises:
          ConfigError: the epochs exceed the largest number allowed, a value is out of its range, a name could mean
            several parameters, or a field that is drawn as a multiple is given without a choice on which its reference
            depends.
        """
        epochs = values.get("epochs")
        if isinstance(epochs, int | float) and epochs > self.max_epochs:
            raise ConfigError(
                f"epochs={epochs} is more than --max-epochs {self.max_epochs}; raise that, or give fewer epochs here"
            )
        return as_parameters(self, values)

    @cached_property
    def families(self) -> tuple[str, ...]:
        """The architectures among which the parameter `arch` chooses; empty if it chooses something else."""
        choices = self.choices("arch")
        return tuple(str(choice) for choice in choices) if all(map(self._is_arch, choices)) else ()

    def choices(self, name: str) -> tuple[Any, ...]:
        """Returns the choices of a parameter in the first branch; empty if it is not a choice, or is fixed."""
        distribution = self.record({}).lacking.get(name)
        return distribution.choices if isinstance(distribution, CategoricalDistribution) else ()

    def _is_arch(self, choice: Any) -> bool:
        """Returns whether this choice of the parameter `arch` is the config's architecture, as far as can be told."""
        try:
            return self.chosen({"arch": choice}).arch == choice
        except NoConfigError:  # it gives no config while all other parameters are at their low end
            return isinstance(choice, str)

    def record(self, params: Mapping[str, Any]) -> Chosen:
        """Runs the function with these parameters and returns the record of what it asked for.

        The parameters need not make a config together: the record then ends where the function failed.
        """
        chooser = Chosen(params)
        with suppress(NoConfigError):
            self.config(chooser)
        return chooser

    def chosen(self, params: Mapping[str, Any]) -> TrialConfig:
        """Returns the config of these parameters, with the missing ones at their low ends."""
        return self.config(Chosen(params))

    def published(self, params: Mapping[str, Any]) -> Values:
        """Returns the parameters of a config that was published without the addition, with its plain values added.

        They are limited as `capped` limits them.
        """
        return self.capped({**self.addition.plain, **params} if self.addition else params)

    def capped(self, params: Mapping[str, Any]) -> Values:
        """Returns `params` without those that are fixed, and with at most the largest number of epochs."""
        multiples = {f"{field}{MULTIPLE}" for field in self.fixed}
        free = {name: value for name, value in params.items() if name not in self.fixed and name not in multiples}
        return free | ({"epochs": min(free["epochs"], self.max_epochs)} if "epochs" in free else {})
