"""The contract of a portfolio."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from storage.sweep_file import Values


@dataclass(frozen=True)
class Portfolio:
    """Configs known to be good, in the order in which they are worth trying: the first trials of a sweep.

    Attributes:
      name: what stands before the name of a config where its trial is shown.
      points: by the number of a default space the configs as points in it: parameters by name.
    """

    name: str
    points: Mapping[int, Callable[[], dict[str, Values]]]

    def of_space(self, number: int) -> dict[str, Values]:
        """Returns the configs that are points of a default space; none where nobody said which they are."""
        return self.points[number]() if number in self.points else {}

    def title(self, name: str) -> str:
        """Returns what a config is called where its trial is shown."""
        return f"{self.name} {name}"
