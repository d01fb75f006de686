"""A search space: an Optuna define-by-run function that returns a `TrialConfig`, and what bounds it."""

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

# What a space function may ask of its trial: the three suggest methods.
Suggests = Trial | Suggester
Function = Callable[[Any], TrialConfig]


def suggest_multiple(trial: Suggests, field: str, reference: float, low: float, high: float) -> float:
    """Returns a value for a field of `TrialConfig`, drawn as a multiple of a reference on a log scale.

    The sampler's parameter is `FIELD_multiple`, in [low, high], so that what it learns of one optimizer or family
    holds for the others. Configs, tables and reports have the value itself.
    """
    multiple = trial.suggest_float(f"{field}{MULTIPLE}", low, high, log=True)
    return float(f"{reference * multiple:.6g}")  # a rate of exactly 0.001 is a multiple of 0.05 as well


@dataclass(frozen=True)
class Addition:
    """What is drawn beside a space, whatever that draws, because the data asks for it.

    Attributes:
      suggest: returns values of fields of `TrialConfig`, each drawn under the name of its field; all of them go with
        each other and with any config.
      plain: the values under which a config is what it would be without the addition, by name.
    """

    suggest: Callable[[Any], Values]
    plain: Mapping[str, Any]


@dataclass(frozen=True)
class Space:
    """A space function with what the user fixed and how many epochs a trial may have.

    Attributes:
      fixed: values by the name of a parameter of the function, or of a field of `TrialConfig`.
      addition: None where the function's own parameters are all that is searched.
    """

    function: Function
    fixed: Mapping[str, Any]
    max_epochs: int
    addition: Addition | None = None

    def config(self, trial: Suggests) -> TrialConfig:
        """The config that `trial` chooses; its seed is the caller's to set.

        Raises:
          NoConfigError: the function raised something or returned something else, or a fixed value breaks a rule.
        """
        bounded = Bounded(trial, self.fixed, self.max_epochs)
        try:
            return self._with_fixed(self._with_addition(self.function(bounded), bounded))
        except (OutsideError, user_code.NotNamedError):
            raise
        except Exception as error:  # the user's function: whatever it raises is theirs to mend
            raise NoConfigError(error, self.function, bounded.params) from error

    def _with_addition(self, config: TrialConfig, trial: Bounded) -> TrialConfig:
        if not isinstance(config, TrialConfig):
            raise ConfigError(f"the space function must return a TrialConfig, got {type(config).__name__}")
        return replace(config, **self.addition.suggest(trial)) if self.addition else config

    def _with_fixed(self, config: TrialConfig) -> TrialConfig:
        names = {field.name for field in fields(TrialConfig)}
        family = family_of(config.arch)
        names -= set(SHAPE_FIELDS) - family.fields  # a fixed shape is for those that have it
        names -= {"epochs"} if family.train else set()  # a head has one, whatever the other families are given
        values = config.to_dict() | {name: value for name, value in self.fixed.items() if name in names}
        values["epochs"] = min(values["epochs"], self.max_epochs)
        return TrialConfig.from_dict(values)

    def table(self) -> Table:
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
        for walker in walk(self):
            for name, distribution in walker.ranges.items():
                ranges.setdefault(name, set()).add(distribution_to_json(distribution))
            asked |= walker.asked
            if walker.config is None:
                continue
            branch = fields_seen.setdefault(f"arch={walker.config.arch}", {})
            for name, value in walker.config.to_dict().items():
                branch.setdefault(name, set()).add(json.dumps(value))
        self._check_fixed(asked, {name for branch in fields_seen.values() for name in branch} | UNHANDLED.keys())
        self._check_read([json.loads(arch) for branch in fields_seen.values() for arch in branch["arch"]])
        for name, found in ranges.items():
            if len(found) > 1 and any("Categorical" in text for text in found):  # Optuna refuses it at the second draw
                raise ConfigError(f"the space asks for `{name}` with different choices; give each its own name")
        table: Table = {"ranges": {name: sorted(found) for name, found in sorted(ranges.items())}}
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

    def _check_read(self, archs: Collection[str]) -> None:
        """Checks that each fixed field changes something for one of these architectures at least."""
        unread = [unread_fields(arch) for arch in archs]
        for name in self.fixed:
            if unread and name in frozenset.intersection(*unread):
                raise ConfigError(f"--fix {name}: changes nothing for {' or '.join(sorted(archs))}; leave it out")

    def corners(self) -> list[TrialConfig]:
        """Returns the configs at the corners of the space."""
        return list(dict.fromkeys(walker.config for walker in walk(self) if walker.config is not None))

    def missing(self, params: Mapping[str, Any]) -> list[str]:
        """The parameters that a config made of `params` still lacks; the sampler draws them.

        Raises:
          ConfigError: a value is out of its range, differs from a fixed one, or its name is not asked for; or the
            space has no config with these parameters, wherever those that are left out lie.
        """
        chooser = Chosen(params, end=0)
        try:
            config = self.config(chooser)
        except NoConfigError:
            if not chooser.lacking:
                raise
            chooser = Chosen(params, end=-1)  # it may be what was left out that does not go with the rest
            config = self.config(chooser)
        unused = set(params) - chooser.used
        for name in sorted(unused):
            if name not in self.fixed:
                always = getattr(config, name, None) if name != "seed" else None
                found = "" if always is None else f", where it is always {always}"
                raise ConfigError(f"`{name}` is not a parameter of arch={config.arch} in this space{found}")
            if params[name] != self.fixed[name]:
                raise ConfigError(f"{name}={params[name]} differs from --fix {name}={self.fixed[name]}")
        return list(chooser.lacking)

    def parameters(self, given: Mapping[str, Any]) -> Values:
        """Returns what a person gives by the names of this space, or of a config's fields, as parameters of this space.

        Raises:
          ConfigError: a value is out of its range, a name could mean several parameters, or a choice on which a
            reference depends is not given with its multiple.
        """
        epochs = given.get("epochs")
        if isinstance(epochs, int | float) and epochs > self.max_epochs:
            raise ConfigError(
                f"epochs={epochs} is more than --max-epochs {self.max_epochs}; raise that, or give fewer epochs here"
            )
        return as_parameters(self, given)

    @cached_property
    def families(self) -> tuple[str, ...]:
        """The architectures among which a parameter `arch` chooses; none where it chooses something else."""
        choices = self.choices("arch")
        return tuple(str(choice) for choice in choices) if all(map(self._is_arch, choices)) else ()

    def choices(self, name: str) -> tuple[Any, ...]:
        """Returns what a parameter chooses among in the first branch; nothing where it is no choice, or is fixed."""
        found = self.asked({}).lacking.get(name)
        return found.choices if isinstance(found, CategoricalDistribution) else ()

    def _is_arch(self, choice: Any) -> bool:
        """Returns whether this choice of the parameter `arch` is the architecture of the config, as far as it shows."""
        try:
            return self.chosen({"arch": choice}).arch == choice
        except NoConfigError:  # not with all the rest at its low end
            return isinstance(choice, str)

    def asked(self, params: Mapping[str, Any]) -> Chosen:
        """Returns what the function asks for beside these, as far as it comes: they may be no config together."""
        chooser = Chosen(params)
        with suppress(NoConfigError):
            self.config(chooser)
        return chooser

    def chosen(self, params: Mapping[str, Any]) -> TrialConfig:
        """The config of these parameters; those that are left out are at their low end."""
        return self.config(Chosen(params))

    def published(self, params: Mapping[str, Any]) -> Values:
        """Returns `capped` parameters of a config that was published without the addition: it stays as it was."""
        return self.capped({**self.addition.plain, **params} if self.addition else params)

    def capped(self, params: Mapping[str, Any]) -> Values:
        """`params` within the epochs allowed, without what is fixed."""
        fields = {f"{field}{MULTIPLE}" for field in self.fixed}
        free = {name: value for name, value in params.items() if name not in self.fixed and name not in fields}
        return free | ({"epochs": min(free["epochs"], self.max_epochs)} if "epochs" in free else {})
