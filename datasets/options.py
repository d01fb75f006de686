"""The flags that say how data is read, declared once for all commands. This file imports nothing heavy."""

from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import fields
from typing import Any

import click

from sweep.storage.sweep_file import FITS, LEAVE_OUT, MOST_FOLDS, DataOptions


def _parse_leave_out(_: click.Context, option: click.Parameter, values: Sequence[str]) -> str | None:
    """Returns the value of `DataOptions.leave_out` for names in repeated flags or with commas between them."""
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
        help="The side in px to which larger images are resized; the default is 224 for pretrained nets, else 64.",
    ),
    click.option(
        "--fit",
        type=click.Choice(FITS),
        default=None,
        help="How an image becomes square: stretched, cropped to its middle, or padded with grey.",
    ),
    click.option(
        "--limit-train",
        type=click.IntRange(min=1),
        default=None,
        help="Uses only so many train images, for a quick try.",
    ),
    click.option(
        "--limit-valid", type=click.IntRange(min=1), default=None, help="Uses only so many validation images."
    ),
    click.option("--id-column", type=str, default=None, help="The column of a table that names the image."),
    click.option("--label-column", type=str, default=None, help="The column of a table that holds the label."),
    click.option(
        "--labels-separator",
        type=str,
        default=None,
        help="What stands between the labels of an image, if it has several.",
    ),
    click.option(
        "--group-column",
        type=str,
        default=None,
        help="The column of a table whose images stay together in one split, a patient for example.",
    ),
    click.option(
        "--split-column",
        type=str,
        default=None,
        help="The column of a table that says which split or fold an image belongs to.",
    ),
    click.option("--images", type=str, default=None, help="The folder in the data that holds the images of a table."),
    click.option("--train", type=str, default=None, help="The table or folder in the data that is the train split."),
    click.option(
        "--valid", type=str, default=None, help="The table or folder in the data that is the validation split."
    ),
    click.option("--test", type=str, default=None, help="The table or folder in the data that is the test split."),
    click.option(
        "--label-pattern",
        type=str,
        default=None,
        help="A regular expression whose group 1 is the label in a file's name.",
    ),
    click.option(
        "--leave-out",
        type=str,
        multiple=True,
        callback=_parse_leave_out,
        metavar="NAME,NAME",
        help="Which images are left out: bad ones, near-duplicates of images in another split, or both.",
    ),
    click.option(
        "--min-per-class",
        type=click.IntRange(min=1),
        default=None,
        help="Leaves out classes that have fewer train images.",
    ),
    click.option(
        "--folds",
        type=click.IntRange(2, MOST_FOLDS),
        default=None,
        help="Trains so many nets for each config, each judged by the part of the images that it did not see.",
    ),
    click.option(
        "--cache-limit",
        type=click.IntRange(min=0),
        default=None,
        help="How many bytes of pixels may be kept on the disk before they are kept as JPEG.",
    ),
    click.option(
        "--submission", type=str, default=None, help="A sample of the file to hand in: a file, or its name in the data."
    ),
    click.option(
        "--positive-class",
        type=str,
        default=None,
        help="Which of two classes is the one whose probability is handed in.",
    ),
)


def reads_data(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the flags of `DataOptions` to a command."""
    for option in reversed(FLAGS):
        command = option(command)
    return command


def taken_options(flags: MutableMapping[str, Any]) -> DataOptions:
    """Returns the options that the flags of a command give, and removes these flags from the dictionary."""
    return DataOptions(**{field.name: flags.pop(field.name) for field in fields(DataOptions)})
