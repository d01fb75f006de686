"""The images and labels that a sweep runs on, and the files in its folder by which it recognises them."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.datasets.problems import shown
from sweep.search.spaces.proposal import UNEQUAL_TIMES
from sweep.storage import paths
from sweep.storage.files import make_folder, remove, save_array, save_bytes
from sweep.storage.schema import to_json
from sweep.storage.sweep_file import DataOptions, Defaults, Settings
from sweep.trainable.config import UNHANDLED
from sweep.trainable.metrics import named

if TYPE_CHECKING:
    from sweep.datasets.pixels.dataset import Dataset

KEPT = (paths.DATA_TABLE, paths.VALID_LABELS, paths.VALID_IMAGES)  # a sweep with folds also has `paths.FOLDS`


def load(settings: Settings, defaults: Defaults, form: str | None = None) -> "Dataset":
    """Reads and checks the data.

    Args:
      defaults: the numbers of the rules by which the data is listed and decoded.
      form: the form in which the sweep keeps its pixels; None to choose one.

    Raises:
      DataError: with all problems that were found.
    """
    from sweep.datasets import load as images

    listing, decoder = defaults.listing, defaults.decoder
    data = images.load(Path(settings.data), settings.data_options, settings.seed, listing, decoder, form)
    images.check_trainable(data, Path(settings.data))
    return data


def check_metric(data: "Dataset", metric: str) -> None:
    """Checks that the metric is defined on the validation images, and within each fold if there are folds.

    Raises:
      UserError: it is not, so that trials could not be compared.
    """
    import numpy as np

    judge, labels = named(metric).for_classes(data.classes), data.valid.truth
    folds = np.zeros(len(labels), np.uint8) if data.folds is None else data.folds
    for fold in np.unique(folds):
        judge.check(labels[folds == fold], data.classes)


def imbalance_notes(data: "Dataset", metric: str, is_searched: bool) -> list[str]:
    """Returns a note on unequal classes: a better metric if the given one is misleading, and what is searched for them.

    Args:
      is_searched: whether the space draws ways to handle unequal classes.
    """
    import numpy as np

    judge = named(metric).for_classes(data.classes)
    labels = [split.truth for name, split in data.splits.items() if name != "test"]
    counts = np.bincount(np.concatenate(labels), minlength=len(data.classes))
    largest, smallest = int(counts.argmax()), int(counts.argmin())
    is_unequal = counts[largest] > UNEQUAL_TIMES * counts[smallest]
    is_misleading = is_unequal and judge.favours_large_classes and judge.value is not None
    if not is_misleading and not is_searched:
        return []
    name = shown(data.classes[largest])
    note = (
        f"Classes are unequal: {name} has {counts[largest]:,} of the {counts.sum():,} labelled images, "
        f"{shown(data.classes[smallest])} {counts[smallest]:,}."
    )
    if is_misleading and judge.value is not None:
        scores = np.zeros((len(data.valid.truth), len(data.classes)))
        scores[:, largest] = 1
        note += (
            f" To answer {name} always has a {judge.words} of {judge.value(data.valid.truth, scores):.4f}, so judge by "
            "--metric balanced_accuracy or macro_f1, which count every class alike."
        )
    if is_searched:
        ways = " ".join(f"--fix {name}={value}" for name, value in UNHANDLED.items())
        note += f" Searched too: the loss, weights of classes and balanced sampling; {ways} leaves them out."
    return [note]


def is_kept(folder: Path, settings: Settings) -> bool:
    """Returns whether all files that `save` writes for every sweep exist."""
    return all((folder / name).exists() for name in (*KEPT, *([paths.FOLDS] if settings.folds else [])))


def generate_demo(place: Path) -> None:
    """Generates demo images in a folder, if it does not exist; after a crash the folder is complete or absent."""
    from sweep.datasets.demo import write_demo

    partial = place.with_name(f"{place.name}.partial")
    if not place.exists():
        remove(partial)
        make_folder(partial)
        write_demo(partial)
        partial.rename(place)


def keep_sample(folder: Path, options: DataOptions) -> DataOptions:
    """Copies the file that --submission names into the sweep's folder; returns options that name the copy.

    The options are returned unchanged if they name something inside the data, or a file that the sweep or its search
    has kept already.
    """
    if options.submission is None or not os.path.isfile(options.submission):
        return options
    place = Path(options.submission)
    folders = (folder, folder.parent) if place.stem == paths.SAMPLE else ()
    if any(paths.is_same(str(each / place.name), str(place)) for each in folders):
        return options
    copy = folder / f"{paths.SAMPLE}{place.suffix}"
    save_bytes(copy, place.read_bytes())
    return replace(options, submission=str(copy))


def keep_form(folder: Path, data: "Dataset", metric: str, is_other: bool = True) -> None:
    """Keeps the form in which predictions are handed in, as the sample of the data shows it.

    Args:
      is_other: whether the form differs from the one that the sweep may have kept; if it does not, a kept one stays.
    """
    from sweep.analysis.outputs import handed_in
    from sweep.datasets.submission import stored

    if is_other or not stored.is_kept(folder):
        handed_in.keep(folder, data, named(metric))


def save(folder: Path, data: "Dataset", metric: str) -> None:
    """Writes the files by which the sweep later recognises its data.

    They are a table with a row for each image, the labels by which trials are judged, small versions of their images,
    and the form in which predictions are handed in.
    """
    from sweep.datasets import fingerprint
    from sweep.datasets.bad_images import left_out_table
    from sweep.datasets.pixels.thumbnails import thumbnails

    save_bytes(folder / paths.DATA_TABLE, fingerprint.data_table(data))
    if data.left_out:
        save_bytes(folder / paths.LEFT_OUT, left_out_table(data.left_out))
    if data.near_duplicates is not None and data.near_duplicates.across:
        save_bytes(folder / paths.NEAR_DUPLICATES, (json.dumps(to_json(data.near_duplicates)) + "\n").encode())
    keep_form(folder, data, metric)
    if data.folds is not None:
        save_array(folder / paths.FOLDS, data.folds)
    save_array(folder / paths.VALID_LABELS, data.valid.truth)
    save_array(folder / paths.VALID_IMAGES, thumbnails(data.valid.images))
