"""Numbers of classes get the names that lie beside the table, where only one reading of these is there."""

import json

import pytest

from tests.datasets.sources.reading import reading_of
from tests.trees import image, table

COUNT = 6
PICTURES = {f"pictures/{number}x.png": image(number) for number in range(COUNT)}
NAMES = ("cat", "dog", "owl")


def labels_of(tmp_path, lists, first=0, **more):
    rows = (f"{n}x.png {n % 3 + first}" for n in range(COUNT))
    reading, findings = reading_of(PICTURES | {"list.txt": table(*rows)} | lists | more, tmp_path / "data")
    assert findings.problems == []
    return reading.listings["train"].labels[:3], reading.inferred


@pytest.mark.parametrize(
    ("name", "content", "first"),
    [
        ("classes.txt", table(*NAMES), 0),
        ("classes.txt", table(*NAMES), 1),
        ("labels.txt", table("0 cat", "1 dog", "2 owl", "3 elk"), 0),
        ("classes.txt", table("001 cat", "002 dog", "003 owl"), 1),
        ("signnames.csv", table("ClassId,SignName", "0,cat", "1,dog", "2,owl"), 0),
        ("label_map.json", json.dumps({"0": "cat", "1": "dog", "2": "owl"}).encode(), 0),
        ("class_indices.json", json.dumps({"cat": 0, "dog": 1, "owl": 2}).encode(), 0),
    ],
)
def test_a_list_of_classes_names_the_numbers(tmp_path, name, content, first):
    labels, inferred = labels_of(tmp_path, {name: content}, first)

    assert labels == NAMES
    assert f"classes: names of `{name}`" in inferred


@pytest.mark.parametrize(
    "lists",
    [
        {"classes.txt": table(*NAMES), "label_names.txt": table("owl", "dog", "cat")},
        {"classes.txt": table("cat", "dog", "dog")},
        {"classes.txt": table("cat", "dog")},
        {"notes.txt": table(*NAMES)},
        {"test_labels.csv": table("image,label", "0x.png,0", "1x.png,1", "2x.png,2")},
    ],
    ids=["two that differ", "a name again", "a name too few", "no name for it", "images of each class"],
)
def test_numbers_stay_where_the_names_are_not_known(tmp_path, lists):
    assert labels_of(tmp_path, lists)[0] == ("0", "1", "2")


def test_numbers_stay_where_they_are_to_be_handed_in(tmp_path):
    sample = {"sample_submission.csv": table("image,label", "7x.png,0"), "test/7x.png": image(7)}

    assert labels_of(tmp_path, {"classes.txt": table(*NAMES)} | sample)[0] == ("0", "1", "2")


def test_folders_name_the_numbers_where_each_is_one_class(tmp_path):
    files = {f"{NAMES[n % 3]}/{n}x.png": image(n) for n in range(COUNT)}
    reading, _ = reading_of(
        files | {"list.txt": table(*(f"{n}x.png {n % 3 + 1}" for n in range(COUNT)))}, tmp_path / "d"
    )

    assert reading.listings["train"].labels[:3] == NAMES
    assert "classes: names of the folders" in reading.inferred
