"""How public data sets are laid out when they are downloaded: each is read as it is, or refused with what to do.

The layouts are made by a script that lies beside the project, or that SWEEP_FORMS names; without it the tests of each
kind, on data of their own, are in `tests/datasets/`.
"""

import importlib.util
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from datasets.file_tree import FileTree
from datasets.problems import DataError, Findings
from datasets.sources.finder import find_reading
from storage.sweep_file import DataOptions

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
      header: of the submission; None where predictions are written as `id,label`.
      is_tested: the test images have labels.
      groups: of train; 0 where there are none.
    """

    images: dict[str, int]
    classes: int
    header: tuple[str, str] | None = None
    is_tested: bool = False
    groups: int = 0


def splits(train, test=0, validation=0):
    return {split: count for split, count in (("train", train), ("validation", validation), ("test", test)) if count}


READ = {
    "cassava": Expected(splits(120, 1), 5, ("image_id", "label")),
    "dog_breed": Expected(splits(176, 20), 8),
    "plant2020": Expected(splits(84, 12), 4),
    "cifar10_kaggle": Expected(splits(300, 60), 10, ("id", "label")),
    "digit_recognizer": Expected(splits(300, 40), 10, ("ImageId", "Label")),
    "aerial_cactus": Expected(splits(120, 24), 2),
    "aerial_cactus_zip": Expected(splits(120, 24), 2),
    "state_farm": Expected(splits(200, 24), 10, groups=8),
    "dogs_vs_cats": Expected(splits(100, 24), 2),
    "leaf_classification": Expected(splits(105, 20), 5),
    "whale": Expected(splits(540, 20), 321),
    "plant_seedlings": Expected(splits(132, 24), 6, ("file", "species")),
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
    "imagenet_kaggle": Expected(splits(120, 32, 32), 4, ("ImageId", "PredictionString")),
    "inaturalist2019": Expected(splits(105, 12, 25), 5, ("id", "predicted")),
    "webdataset": Expected(splits(90, validation=24), 3),
    "roboflow_folder": Expected(splits(120, 18, 30), 3, is_tested=True),
    "unibuc2021": Expected(splits(180, 45, 45), 9, ("id", "label")),
    "unibuc2022_dhc": Expected(splits(140, 35, 35), 7, ("id", "label")),
    "unibuc2023_dhc": Expected(splits(192, 48, 48), 8, ("Image", "Class")),
}
WITH_DICOM = {"siim_melanoma": Expected(splits(200, 20), 2, ("image_name", "target"), groups=25)}
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


def check(path: Path, expected: Expected) -> None:
    findings = Findings()
    with FileTree(path) as tree:
        reading = find_reading(tree, DataOptions(), findings)

    assert findings.problems == []
    assert {split: len(listing.ids) for split, listing in reading.listings.items()} == expected.images
    assert len(set(reading.listings["train"].labels)) == expected.classes
    assert (reading.submission.header if reading.submission else None) == expected.header
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
