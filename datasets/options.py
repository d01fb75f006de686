"""The flags by which commands are told how data is read, declared once for all of them. Imports nothing heavy."""

from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import fields
from typing import Any

import click

from sweep.storage.sweep_file import FITS, LEAVE_OUT, MOST_FOLDS, DataOptions


def _taken(_: click.Context, option: click.Parameter, values: Sequence[str]) -> str | None:
    """Returns what `DataOptions.leave_out` has of names that are repeated or have commas between."""
    names = [name.strip() for value in values for name in value.split(",")]
    for name in names:
        if name not in LEAVE_OUT:
            raise click.BadParameter(f"each must be one of {', '.join(LEAVE_OUT)}, got {name!r}", param=option)
    return ",".join(name for name in LEAVE_OUT if name in names) or None


FLAGS = (
    click.option(
        "--image-size",
        type=int,
        default=None,
        help="Side in px that images are resized to; default where larger: 224 for pretrained nets, else 64.",
    ),
    click.option(
        "--fit",
        type=click.Choice(FITS),
        default=None,
        help="Each side for itself; or the shape is kept: its middle, or all on grey.",
    ),
    click.option(
        "--limit-train", type=click.IntRange(min=1), default=None, help="Only so many train images: a quick look."
    ),
    click.option("--limit-valid", type=click.IntRange(min=1), default=None, help="Only so many validation images."),
    click.option("--id-column", type=str, default=None, help="Of a table: names the image."),
    click.option("--label-column", type=str, default=None, help="Of a table: the label."),
    click.option("--labels-separator", type=str, default=None, help="Stands between the labels of an image."),
    click.option("--group-column", type=str, default=None, help="Of a table: images that stay together in a split."),
    click.option("--split-column", type=str, default=None, help="Of a table: says whether an image is train, ..."),
    click.option("--images", type=str, default=None, help="Folder in the data that a table's images lie in."),
    click.option("--train", type=str, default=None, help="Table or folder in the data: the train split."),
    click.option("--valid", type=str, default=None, help="Likewise: the validation split."),
    click.option("--test", type=str, default=None, help="Likewise: the test split."),
    click.option("--label-pattern", type=str, default=None, help="Regular expression: group 1 in a name is the label."),
    click.option(
        "--leave-out",
        type=str,
        multiple=True,
        callback=_taken,
        metavar="NAME,NAME",
        help="Goes on without these images: bad, near-duplicates (of another split).",
    ),
    click.option(
        "--min-per-class", type=click.IntRange(min=1), default=None, help="Leaves out classes of fewer train images."
    ),
    click.option(
        "--folds",
        type=click.IntRange(2, MOST_FOLDS),
        default=None,
        help="Trains so many nets a config, each judged by the part it did not see, instead of one.",
    ),
    click.option(
        "--cache-limit", type=click.IntRange(min=0), default=None, help="Bytes of pixels kept on disk as they are."
    ),
    click.option(
        "--submission", type=str, default=None, help="A sample of the file to hand in: a file, or in the data."
    ),
    click.option("--positive-class", type=str, default=None, help="Of two: the one whose probability is handed in."),
)


def reads_data(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the flags of `DataOptions`."""
    for option in reversed(FLAGS):
        command = option(command)
    return command


def taken_options(flags: MutableMapping[str, Any]) -> DataOptions:
    """Returns what the flags of a command say of its data, and takes them out of the others."""
    return DataOptions(**{field.name: flags.pop(field.name) for field in fields(DataOptions)})
