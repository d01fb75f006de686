"""The options that say what is searched, and how it is drawn, judged and ended early."""

from collections.abc import Callable
from pathlib import Path

import click

from sweep.search import pruners, samplers, spaces
from sweep.storage.command_line import NameOrOwn
from sweep.storage.sweep_file import BASELINES
from sweep.trainable.metrics import DEFAULT, SHOWN, is_flag

OF_A_SEARCH = (
    click.option(
        "--metric",
        type=NameOrOwn(SHOWN, is_flag),
        default=DEFAULT,
        help="What trials are judged by, or FILE.py:OBJECT, a metric of your own.",
    ),
    click.option(
        "--space",
        type=NameOrOwn(spaces.NAMES),
        default=None,
        help="What is searched, or FILE.py:OBJECT, a space of your own. The default follows from data and device.",
    ),
    click.option(
        "--backbones",
        type=str,
        multiple=True,
        metavar="NAME,NAME",
        help="The pretrained nets to use, timm/NAME or torchvision/NAME; by default those whose weights are here.",
    ),
    click.option(
        "--fix",
        "fixed",
        type=str,
        multiple=True,
        metavar="NAME=VALUE",
        help="Gives a hyperparameter one value, so that it is not searched.",
    ),
    click.option(
        "--enqueue",
        type=click.Path(path_type=Path),
        default=None,
        help="A JSON file with a list of configs that run first.",
    ),
    click.option(
        "--like",
        type=str,
        multiple=True,
        metavar="SWEEP",
        help="An earlier sweep whose best configs run first; may be given several times.",
    ),
    click.option(
        "--baselines",
        type=click.Choice(BASELINES),
        default="auto",
        show_default=True,
        help="Whether the published runs come first; auto: if the data is their contest's (16x16 px, 7 classes).",
    ),
    click.option("--no-baselines", "baselines", flag_value="none", hidden=True),  # the flag of older commands
    click.option(
        "--sampler", type=click.Choice(samplers.NAMES), default=samplers.NAMES[0], help="What draws the configs."
    ),
    click.option(
        "--pruner", type=click.Choice(pruners.NAMES), default=pruners.NAMES[0], help="What ends trials early."
    ),
    click.option(
        "--ledger",
        type=str,
        default="",
        metavar="URL",
        help="Keeps the study in a database: postgresql://[USER@]HOST[:PORT]/DATABASE.",
    ),
)


def chooses_search(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command these options, which stay as they were when the sweep began."""
    for option in reversed(OF_A_SEARCH):
        command = option(command)
    return command
