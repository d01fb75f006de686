"""The trial object that a space function receives: an Optuna trial, limited by `--fix` and `--max-epochs`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sweep.search.spaces.walker import Walker
from sweep.storage.sweep_file import Values
from sweep.trainable.config import MULTIPLE, ConfigError, plain_value

if TYPE_CHECKING:
    from sweep.search.spaces.space import Suggests

# The other attributes of an Optuna trial, each with what a space function should do instead.
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
    """A trial that answers fixed parameters itself and limits `epochs` to the largest number allowed.

    Numpy numbers are converted to Python numbers, because the ledger can store no others.

    Attributes:
      params: the values returned so far, by parameter name.
    """

    def __init__(self, trial: "Suggests", fixed: Mapping[str, Any], max_epochs: int) -> None:
        self._trial, self._fixed, self._max_epochs = trial, fixed, max_epochs
        self.params: Values = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise AttributeError(f"`trial.{name}` is not for a space: {INSTEAD.get(name, MAY_BE_ASKED)}")

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """Returns one of the choices, or the fixed value of this parameter.

        Raises:
          ConfigError: a choice is neither None nor a bool, an int, a float or a str.
        """
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
        """Returns a whole number in [low, high], or the fixed value; `epochs` is at most the largest number allowed."""
        low, high, step = plain_value(low), plain_value(high), plain_value(step)
        if name == "epochs":
            low, high = min(low, self._max_epochs), min(high, self._max_epochs)
        if self._is_fixed(name):
            value = self._fixed[name]
            is_whole = isinstance(value, float) and value.is_integer()
            return self._answer(name, int(value) if is_whole else value)
        return self._answer(name, self._trial.suggest_int(name, low, high, step=step, log=bool(log)))

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Returns a number in [low, high], or the fixed value of this parameter.

        Returns 1.0 for the multiple of a field that is fixed; the field has its fixed value in any case.
        """
        low, high, step = plain_value(low), plain_value(high), plain_value(step)
        if self._is_fixed(name):
            return self._answer(name, float(self._fixed[name]))
        if name.endswith(MULTIPLE) and name.removesuffix(MULTIPLE) in self._fixed:
            return 1.0  # any number would do: the field keeps its fixed value
        return self._answer(name, self._trial.suggest_float(name, low, high, step=step, log=bool(log)))

    def _answer(self, name: str, value: Any) -> Any:
        self.params[name] = value
        return value

    def _is_fixed(self, name: str) -> bool:
        if isinstance(self._trial, Walker):
            self._trial.names_asked.add(name)
        return name in self._fixed
