"""Loads the data that a sweep was run on, wherever it lies now; its fingerprint shows that it is the same data."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sweep.analysis.record import Record
from sweep.datasets.fingerprint import differences
from sweep.datasets.load import load
from sweep.datasets.pixels.dataset import Dataset
from sweep.datasets.problems import DataError, Problem
from sweep.storage import paths
from sweep.storage.text import counted

SHOWN_DIFFERENCES = 5
OTHER_DATA = "Other data takes another sweep, --sweep."


def sweep_data(
    record: Record, place: Path | None = None, sample: str | None = None, positive_class: str | None = None
) -> Dataset:
    """Returns the data of a sweep.

    Args:
      record: the sweep.
      place: where the data lies now; None for the place that the sweep recorded.
      sample, positive_class: another sample submission, and the class whose probability it has; None for those that
        the sweep began with.

    Raises:
      DataError: the data is not there, or is not the data that the sweep was run on.
    """
    settings, fingerprint = record.settings, record.file.fingerprint
    location = str(place or settings.data)
    options = settings.data_options
    options = replace(
        options,
        submission=sample or options.submission,
        positive_class=positive_class or options.positive_class,
    )

    def load_place() -> Dataset:
        listing, decoder, form = record.listing, record.decoding.number, record.file.pixels
        return load(Path(location), options, settings.seed, listing, decoder, form)

    return load_same(record.folder, location, settings.data, fingerprint, load_place)


def data_spared(record: Record, place: Path | None) -> dict[Path, str]:
    """Returns the places of a sweep's data, as recorded and as --data names it, for `command_line.check_out`."""
    return dict.fromkeys(filter(None, (Path(record.settings.data), place)), "a file of the sweep's data")


def load_same(
    folder: Path, place: str, recorded_place: str, fingerprint: str, load_place: Callable[[], Dataset]
) -> Dataset:
    """Loads data and checks that the sweep in `folder` was started on the same data.

    Args:
      folder: the folder of the sweep.
      place: the place of the data that `load_place` loads.
      recorded_place: the place of the data that the sweep recorded.
      fingerprint: the fingerprint of the sweep's data.
      load_place: loads the data at `place`.

    Raises:
      DataError: the data cannot be loaded, or is other data; the message names the place that the sweep recorded.
    """
    is_named = not paths.is_same(place, recorded_place)
    try:
        data = load_place()
    except DataError as error:
        if is_named:
            raise DataError(error.problems, _way_out(recorded_place)) from error
        if os.path.exists(place):
            raise
        rule = "the data of this sweep must be there"
        raise DataError([Problem(place, rule, "nothing there", "name where it lies now with --data")]) from error
    if data.fingerprint != fingerprint:
        restore = f"Restore them, or name with --data where they lie now. {OTHER_DATA}"
        rule = "not the images and labels that this sweep was started on, by their fingerprint"
        raise DataError(
            [Problem(place, rule, "", _differences(folder, data))], _way_out(recorded_place) if is_named else restore
        )
    return data


def _differences(folder: Path, data: Dataset) -> str:
    """Returns, in lines, how many differences there are from the table that the sweep kept, and the first of them."""
    path = folder / paths.DATA_TABLE
    lines = differences(path.read_bytes() if path.exists() else b"", data)
    rest = [f"... and {len(lines) - SHOWN_DIFFERENCES} more"] if len(lines) > SHOWN_DIFFERENCES else []
    return "\n  ".join([f"{counted(len(lines), 'difference')}:", *lines[:SHOWN_DIFFERENCES], *rest])


def _way_out(recorded_place: str) -> str:
    return f"The data of this sweep lay last at {recorded_place}; name with --data where it lies now. {OTHER_DATA}"
