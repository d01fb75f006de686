"""The flags of a command about pretrained weights, `--weights` and `--offline`, which hold for its whole process.

Imports nothing heavy.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click


@dataclass
class Choices:
    """The user's choices about pretrained weights.

    Attributes:
      place: the file or folder with weights that the user named, or None.
      offline: whether fetching weights is forbidden.
    """

    place: Path | None = None
    offline: bool = False


CHOICES = Choices()


def _take(_: click.Context, option: click.Parameter, value: Any) -> None:
    setattr(CHOICES, {"weights": "place"}.get(str(option.name), str(option.name)), value)


FLAGS = (
    click.option(
        "--weights",
        type=click.Path(path_type=Path),
        default=None,
        callback=_take,
        expose_value=False,
        help="A file or a folder with weights of pretrained nets.",
    ),
    click.option(
        "--offline", is_flag=True, callback=_take, expose_value=False, help="Fetches no weights over the network."
    ),
)


def uses_weights(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the flags that say where weights of pretrained nets come from."""
    for option in reversed(FLAGS):
        command = option(command)
    return command
