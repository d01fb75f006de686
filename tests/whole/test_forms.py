"""How public data sets are laid out when they are downloaded: each is read as it is, or refused with what to do.

The layouts are made by a script that lies beside the project, or that SWEEP_FORMS names; without it the tests of each
kind, on data of their own, are in `tests/datasets/`.
"""

import csv
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from sweep.datasets.file_tree import FileTree
from sweep.datasets.labels import sort_classes
from sweep.datasets.problems import DataError, Findings
from sweep.datasets.sources import Reading
from sweep.datasets.sources.finder import find_reading
from sweep.storage.sweep_file import DataOptions

SCRIPT = Path(os.environ.get("SWEEP_FORMS", Path(__file__).resolve().parents[3] / "shared/forms/make.py"))
if not SCRIPT.exists():
    pytest.skip("the script that makes the layouts is not there; SWEEP_FORMS names it", allow_module_level=True)
needs_pydicom = pytest.mark.skipif(importlib.util.find_spec("pydicom") is None, reason="pydicom writes these images")


@dataclass(frozen=True)
class Expected:
    """What a layout is read as.

    Attributes:
      images: of train, and of validation and test where there are any.
      classes: how many.
      cells: what the cells of a submission are, a function of them and of the classes; None where there is no sample
        that can be filled.
      is_tested: the test images have labels.
      groups: of train; 0 where there are none.
    """

    images: dict[str, int]
    classes: int
    cells: Callable[[list[str], list[str]], bool] | None = None
    is_tested: bool = False
    groups: int = 0


def is_label(cells, classes):
    return len(cells) == 1 and cells[0] in classes


def is_probability(cells, classes):
    return len(cells) == 1 and 0 <= float(cells[0]) <= 1 and not float(cells[0]).is_integer()


def are_probabilities(cells, classes):
    return len(cells) == len(classes) and abs(sum(map(float, cells)) - 1) < 1e-6 and min(map(float, cells)) >= 0


def are_five_labels(cells, classes):
    parts = cells[0].split(" ")
    return len(cells) == 1 and len(parts) == len(set(parts)) == 5 and set(parts) <= set(classes)


def splits(train, test=0, validation=0):
    return {split: count for split, count in (("train", train), ("validation", validation), ("test", test)) if count}


READ = {
    "cassava": Expected(splits(120, 1), 5, is_label),
    "dog_breed": Expected(splits(176, 20), 8, are_probabilities),
    "plant2020": Expected(splits(84, 12), 4, are_probabilities),
    "cifar10_kaggle": Expected(splits(300, 60), 10, is_label),
    "digit_recognizer": Expected(splits(300, 40), 10, is_label),
    "aerial_cactus": Expected(splits(120, 24), 2, is_probability),
    "aerial_cactus_zip": Expected(splits(120, 24), 2, is_probability),
    "state_farm": Expected(splits(200, 24), 10, are_probabilities, groups=8),
    "dogs_vs_cats": Expected(splits(100, 24), 2, is_probability),
    "leaf_classification": Expected(splits(105, 20), 5, are_probabilities),
    "whale": Expected(splits(540, 20), 321, are_five_labels),
    "plant_seedlings": Expected(splits(132, 24), 6, is_label),
    "intel_scenes": Expected(splits(180, 48), 6, is_tested=True),
    "chest_xray": Expected(splits(80, 32, 16), 2, is_tested=True),
    "chest_xray_zip": Expected(splits(80, 32, 16), 2, is_tested=True),
    "gtsrb": Expected(splits(144, 30), 6, is_tested=True),
    "tf_flowers": Expected(splits(120), 5),
    "eurosat_rgb": Expected(splits(180), 6),
    "food101": Expected(splits(120, 40), 5, is_tested=True),
    "petimages": Expected(splits(82), 2),
    "hf_metadata_csv": Expected(splits(90, 21, 21), 3, is_tested=True),
    "hf_parquet": Expected(splits(90, 21, 21), 3, is_tested=True),
    "hf_imagefolder": Expected(splits(80, 20), 2, is_tested=True),
    "mnist_idx": Expected(splits(300, 60), 10, is_tested=True),
    "medmnist_npz": Expected(splits(180, 36, 36), 9, is_tested=True),
    "imagenet_kaggle": Expected(splits(120, 32, 32), 4, is_label),
    "inaturalist2019": Expected(splits(105, 12, 25), 5, is_label),
    "webdataset": Expected(splits(90, validation=24), 3),
    "roboflow_folder": Expected(splits(120, 18, 30), 3, is_tested=True),
    "unibuc2021": Expected(splits(180, 45, 45), 9, is_label),
    "unibuc2022_dhc": Expected(splits(140, 35, 35), 7, is_label),
    "unibuc2023_dhc": Expected(splits(192, 48, 48), 8, is_label),
}
WITH_DICOM = {"siim_melanoma": Expected(splits(200, 20), 2, is_probability, groups=25)}
REFUSED = {
    "plant2021": "give --labels-separator '' to take each combination as a label of its own",
    "cifar10_batches": "convert it: python -m datasets.unpickle",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("forms")

    def make(name: str) -> Path:
        if not (folder / name).exists():
            words = [sys.executable, str(SCRIPT), name, "--out", str(folder)]
            subprocess.run(words, check=True, capture_output=True)
        return folder / name

    return make


def sample_of(path: Path) -> list[list[str]]:
    """Returns the rows of the sample submission of a layout, as the csv module reads it."""
    if found := next(path.glob("*.zip"), None):
        with zipfile.ZipFile(found) as archive:
            text = archive.read("sample_submission.csv").decode()
    else:
        (file,) = (file for file in path.iterdir() if "submission" in file.name.lower())
        text = file.read_text()
    return [row for row in csv.reader(text.splitlines()) if row]


def submitted(reading: Reading) -> list[list[str]]:
    """Returns the rows of what is handed in, of a predictor that says class r of row r before the others."""
    classes = sort_classes(reading.listings["train"].labels)
    count = len(reading.listings["test"].ids)
    shares = np.random.default_rng(0).uniform(0.1, 0.4, (count, len(classes)))
    shares[np.arange(count), np.arange(count) % len(classes)] += 1
    shares /= shares.sum(axis=1, keepdims=True)
    table = reading.submission.table(shares, shares.argmax(axis=1), classes)
    return [*csv.reader(table.decode().splitlines())]


def check(path: Path, expected: Expected) -> None:
    findings = Findings()
    with FileTree(path) as tree:
        reading = find_reading(tree, DataOptions(), findings)

    assert findings.problems == []
    assert {split: len(listing.ids) for split, listing in reading.listings.items()} == expected.images
    assert len(set(reading.listings["train"].labels)) == expected.classes
    assert (reading.submission is not None) == (expected.cells is not None)
    if expected.cells is not None:
        sample, rows = sample_of(path), submitted(reading)
        assert rows[0] == sample[0]
        assert [row[0] for row in rows[1:]] == [row[0] for row in sample[1:]]
        classes = sorted(set(reading.listings["train"].labels))
        assert [row for row in rows[1:] if not expected.cells(row[1:], classes)] == []
    assert ("test" in expected.images and reading.listings["test"].labels is not None) == expected.is_tested
    assert len(set(reading.listings["train"].groups or ())) == expected.groups


@pytest.mark.parametrize("name", READ)
def test_a_layout_is_read_as_it_is(name, made):
    check(made(name), READ[name])


@needs_pydicom
@pytest.mark.parametrize("name", WITH_DICOM)
def test_a_layout_with_dicom_beside_its_jpegs_is_read_as_it_is(name, made):
    check(made(name), WITH_DICOM[name])


@pytest.mark.parametrize("name", REFUSED)
def test_a_layout_that_cannot_be_trained_on_is_refused_with_what_to_do(name, made):
    findings = Findings()
    try:
        with FileTree(made(name)) as tree:
            find_reading(tree, DataOptions(), findings)
        problems = findings.problems
    except DataError as error:
        problems = error.problems

    assert REFUSED[name] in str(problems[0])


def test_the_probability_of_dogs_is_that_of_dogs_and_in_the_order_of_the_sample(made):
    findings = Findings()
    with FileTree(made("dogs_vs_cats")) as tree:
        reading = find_reading(tree, DataOptions(), findings)

    files = [reading.listings["test"].files[row] for row in reading.submission.rows]
    shares = np.array([[0.25, 0.75], [1, 0]])[np.arange(24) % 2]  # of cat and of dog
    rows = csv.reader(reading.submission.table(shares, shares.argmax(axis=1), ("cat", "dog")).decode().splitlines())
    assert [f"test/{row[0]}.jpg" for row in rows][1:] == files
    assert any("the probability of `dog`" in note and "--positive-class cat" in note for note in findings.notes)


@pytest.mark.parametrize(
    ("name", "sample", "cells"),
    [
        ("aerial_cactus", "sample_submission.csv", is_probability),
        ("state_farm", "sample_submission.csv", are_probabilities),
        ("whale", "sample_submission.csv", are_five_labels),
        ("inaturalist2019", "kaggle_sample_submission.csv", is_label),
    ],
)
def test_a_sample_beside_the_data_says_as_much_as_one_in_it(name, sample, cells, made, tmp_path):
    data = tmp_path / name
    shutil.copytree(made(name), data, copy_function=os.link)
    (data / sample).rename(tmp_path / "mine.csv")

    findings = Findings()
    with FileTree(data) as tree:
        reading = find_reading(tree, DataOptions(submission=f"{tmp_path}/mine.csv"), findings)

    assert findings.problems == []
    rows, expected = submitted(reading), [*csv.reader((tmp_path / "mine.csv").open())]
    assert (rows[0], [row[0] for row in rows]) == (expected[0], [row[0] for row in expected])
    classes = sorted(set(reading.listings["train"].labels))
    assert [row for row in rows[1:] if not cells(row[1:], classes)] == []
