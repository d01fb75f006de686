"""The value of `--metric`."""

from typing import Any

import click

from storage import user_code
from trainable.metrics import NAMES


class MetricName(click.Choice):
    """One of the metrics by its name, or FILE.py:OBJECT of the user's."""

    def __init__(self) -> None:
        super().__init__(NAMES)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if user_code.is_reference(str(value)) else super().convert(value, param, ctx)
