"""What cannot be read is refused in a line that says what is there, and what to do."""

import json

import pytest

from sweep.datasets.load import load
from sweep.datasets.problems import DataError
from sweep.storage.sweep_file import DataOptions
from tests.trees import image, table, write

FLAT = {f"photos/IMG_{number}.png": image(number) for number in range(6)}
TABLE = FLAT | {"train.csv": table("file,kind", *(f"IMG_{number}.png,{number % 2}" for number in range(6)))}
FOLDERS = {f"{kind}/{number}.png": image(number + 10 * ord(kind)) for kind in "ab" for number in range(3)}
SEVERAL = {
    "images": [{"id": number, "file_name": f"IMG_{number}.png"} for number in range(6)],
    "annotations": [{"image_id": number // 2, "category_id": number % 3} for number in range(12)],
    "categories": [{"id": number, "name": "abc"[number]} for number in range(3)],
}
REFUSED = {
    "an empty folder": ({}, {}, "data must hold images, got no files; check the path"),
    "texts alone": (
        {"notes.csv": b"a\n"},
        {},
        "got 1 file, none of which is read as an image (1 .csv); check",
    ),
    "no labels anywhere": (
        FLAT,
        {},
        "each image to train on must have a label, got 6 images in `photos/`, such as `photos/IMG_0.png`, and nothing "
        "that says the labels; make a folder for each class (train/cat/1.jpg), or add a table of them",
    ),
    "images to train on without labels": (
        {f"{split}/{number}.png": image(number + len(split)) for split in ("train", "test") for number in range(3)},
        {},
        "each image to train on must have a label, got 6 images in `test/`, in `train/`",
    ),
    "a table whose images are elsewhere": (
        {"train.csv": table("id,label", "1.png,0", "2.png,1", "3.png,0"), "other.png": image(1)},
        {},
        "train.csv: the images that the table names must be in the data, none is, got `1.png` and 2 more; the data "
        "holds 1 image, such as `other.png`; add the images, or correct the names in the table",
    ),
    "a column that names no images": (
        TABLE,
        {"id_column": "kind"},
        "train.csv: the images that the table names must be in the data, none is, got `0` and 5 more",
    ),
    "--train of nothing": (TABLE, {"train": "training.csv"}, "--train must name a table or a folder with images"),
    "--valid of nothing": (TABLE, {"valid": "val/"}, "--valid must name a table or a folder with images in the data"),
    "--test of nothing": (FOLDERS, {"test": "tst"}, "got `tst`, which is not there; give its path within the data"),
    "--images of nothing": (
        TABLE,
        {"images": "pictures"},
        "--images must be a folder with images in the data, got `pictures`; give one of `photos/`",
    ),
    "a column where there is no table": (
        FOLDERS,
        {"label_column": "kind"},
        "--label-column must name a column of a table, got `kind`, and there is no table; leave --label-column out",
    ),
    "classes of one image": (
        {f"person{number}/face.png": image(number) for number in range(8)},
        {},
        "each class must have 2 images or more, got 8 of 8 classes with one (`person0`, `person1`, `person2`, ...); "
        "check that these are labels, or give --min-per-class 2",
    ),
    "validation alone": (
        {f"validation/{name}": data for name, data in FOLDERS.items()},
        {},
        "there must be a split to train on, got `validation/` with 6 images alone; add the images of train, or train "
        "on these with --train validation/",
    ),
    "validation and test alone": (
        {f"x/{split}/{name}": data for split in ("val", "test") for name, data in FOLDERS.items()},
        {},
        "got `x/test/` with 6 images and `x/val/` with 6 images alone; add the images of train, or train on these with "
        "--train x/val/",
    ),
    "hidden files alone": (
        {f".x/{name}": data for name, data in FOLDERS.items()},
        {},
        "data must hold images, got no files but 6 hidden files, which do not count; check the path",
    ),
    "annotations in a form that is not read": (
        FLAT | {"notes/1.xml": b"<annotation/>"},
        {},
        "and nothing that says the labels (beside 1 .xml); make a folder for each class",
    ),
    "a measurement for a label": (
        FLAT | {"train.csv": table("file,age", *(f"IMG_{number}.png,{number}.25" for number in range(6)))},
        {},
        "a few values that come again and again, got the columns `file`, `age`, of which none does; add a column",
    ),
    "classes that are all too small": (
        FOLDERS,
        {"min_per_class": 9},
        "train must have 2 to 10,000 classes of 9 images or more, got 0; give a smaller --min-per-class",
    ),
    "a class of validation that train does not have": (
        {f"train/{name}": data for name, data in FOLDERS.items()}
        | {f"val/c/{number}.png": image(number) for number in range(30)},
        {},
        "val/c/0.png: image must have a label of train (`a`, `b`), got `c` (and 29 more images); mend one of them",
    ),
    "several labels between bars": (
        FLAT
        | {
            "Data_Entry.csv": table(
                "Image Index,Finding Labels", *(f"IMG_{n}.png,Mass|{'abc'[n % 3]}" for n in range(6))
            )
        },
        {},
        "an image must have one label, for several labels an image cannot be trained on yet, got `Mass|a` and 5 more "
        "images with several, split at `|`; give --labels-separator ''",
    ),
    "several labels in lists": (
        FLAT
        | {
            "train.jsonl": "\n".join(
                f'{{"file": "IMG_{n}.png", "tags": "[\'a\', \'{"bc"[n % 2]}\']"}}' for n in range(6)
            ).encode()
        },
        {},
        "got `a|b` and 5 more images with several, split at `|`",
    ),
    "categories of COCO": (
        FLAT | {"train.json": json.dumps(SEVERAL).encode()},
        {},
        "several labels an image cannot be trained on yet, got `a|b` and 5 more images with several",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_in_one_line_with_what_is_there(name, tmp_path):
    files, flags, line = REFUSED[name]
    folder = tmp_path / "data"
    folder.mkdir()

    with pytest.raises(DataError) as error:
        load(write(files, folder), DataOptions(**flags))

    (problem,) = error.value.problems
    assert line in str(problem)
    assert str(problem).startswith(str(folder))


def test_a_flag_that_names_a_folder_or_the_top_is_taken(tmp_path):
    data = load(write(FOLDERS | {"c/1.png": image(1)}, tmp_path / "data"), DataOptions(train=".", min_per_class=2))

    assert data.classes == ("a", "b")


def test_labels_with_a_bar_between_that_are_taken_as_they_are_are_noted(tmp_path):
    files = {f"train/{name.replace('a/', 'Mass|Nodule/')}": data for name, data in FOLDERS.items()}

    notes = load(write(files, tmp_path / "data")).notes

    assert "1 of 2 classes are several words, such as `Mass|Nodule`: each is a class of its own." in notes


def test_images_that_cannot_be_used_are_named_with_the_flag_that_leaves_them_out(tmp_path):
    with pytest.raises(DataError) as error:
        load(write(FOLDERS | {"a/empty.png": b""}, tmp_path / "data"))

    assert str(error.value).splitlines()[1].startswith("--leave-out bad goes on without such images of train")
