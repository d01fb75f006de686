"""The trial that a space function is given: Optuna's, within what the user fixed and the epochs allowed."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sweep.search.spaces.walker import Walker
from sweep.storage.sweep_file import Values
from sweep.trainable.config import MULTIPLE, ConfigError, plain_value

if TYPE_CHECKING:
    from sweep.search.spaces.space import Suggests

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


class Bounded:
    """A trial that answers fixed parameters itself and keeps `epochs` within the largest number allowed.

    Numbers of numpy's are taken as Python's, for the ledger holds no others.

    Attributes:
      params: what was answered so far, by name.
    """

    def __init__(self, trial: "Suggests", fixed: Mapping[str, Any], max_epochs: int) -> None:
        self._trial, self._fixed, self._max_epochs = trial, fixed, max_epochs
        self.params: Values = {}

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
        if isinstance(self._trial, Walker):
            self._trial.asked.add(name)
        return name in self._fixed
