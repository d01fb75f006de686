"""The value of `--metric`."""

from typing import Any

import click

from storage import user_code
from storage.errors import UserError
from trainable.metrics import NAMES, named


class MetricName(click.Choice):
    """One of the metrics by its name, or FILE.py:OBJECT of the user's."""

    def __init__(self) -> None:
        super().__init__(NAMES)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not user_code.is_reference(str(value)):
            return super().convert(value, param, ctx)
        try:
            return named(user_code.name(str(value), "")).name
        except UserError as error:
            self.fail(str(error), param, ctx)
