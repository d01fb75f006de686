"""Tars of an image and its label under one key are splits."""

import json

import pytest

from sweep.datasets.problems import DataError
from tests.datasets.sources.reading import reading_of, splits_of
from tests.datasets.trees.containers import tarred
from tests.trees import image


def shard(first: int, count: int, extension: str = "cls", label=str, top: str = "") -> bytes:
    members = {}
    for number in range(first, first + count):
        members[f"{top}{number:06}.png"] = image(number)
        members[f"{top}{number:06}.{extension}"] = label(number % 3).encode()
    return tarred(members)


def test_shards_are_splits_by_their_names(tmp_path):
    files = {
        "imagenet-train-000000.tar": shard(0, 4),
        "imagenet-train-000001.tar": shard(4, 3),
        "imagenet-val-000000.tar": shard(0, 3),
        "test/00000.tar": tarred({"0.png": image(50), "1.png": image(51)}),
    }
    reading, findings = reading_of(files, tmp_path / "data")
    assert splits_of(reading) == {
        "train": (
            (
                *(f"imagenet-train-000000.tar/00000{number}.png" for number in range(4)),
                *(f"imagenet-train-000001.tar/00000{number}.png" for number in range(4, 7)),
            ),
            ("0", "1", "2", "0", "1", "2", "0"),
        ),
        "validation": (tuple(f"imagenet-val-000000.tar/00000{number}.png" for number in range(3)), ("0", "1", "2")),
        "test": (("test/00000.tar/0.png", "test/00000.tar/1.png"), None),
    }
    assert "imagenet-train-000000.tar/000000.cls" in reading.files
    assert findings.problems == []


LABELS = {
    "text": ("txt", lambda number: f"class {number}\n", ("class 0", "class 1", "class 2")),
    "JSON": ("json", lambda number: json.dumps({"label": number, "width": 4}), ("0", "1", "2")),
    "JSON of one value": ("json", json.dumps, ("0", "1", "2")),
    "in folders": ("cls", str, ("0", "1", "2")),
}


@pytest.mark.parametrize("form", LABELS)
def test_labels_come_in_several_forms(tmp_path, form):
    extension, label, labels = LABELS[form]
    top = "a/b/" if form == "in folders" else ""
    reading, findings = reading_of({"x.tar": shard(0, 3, extension, label, top)}, tmp_path / "data")
    assert splits_of(reading) == {"train": (tuple(f"x.tar/{top}00000{number}.png" for number in range(3)), labels)}
    assert findings.problems == []


def test_a_field_of_the_json_is_asked_for_where_none_is_usual(tmp_path):
    files = {"x.tar": shard(0, 3, "json", lambda number: json.dumps({"kind id": number, "age": 7}))}
    with pytest.raises(DataError, match="one field must be the label, got `kind id`, `age`; choose with"):
        reading_of(files, tmp_path / "data")
    reading, _ = reading_of({}, tmp_path / "data", label_column="kind id")
    assert reading.listings["train"].labels == ("0", "1", "2")


def test_an_image_for_training_without_a_label_is_a_problem(tmp_path):
    data = tarred({"0.png": image(0), "0.cls": b"1", "1.png": image(1), "2.png": image(2), "2.cls": b"0"})
    reading, findings = reading_of({"x.tar": data}, tmp_path / "data")
    assert [str(problem) for problem in findings.problems] == [
        f"{tmp_path}/data/x.tar/1.png: image must have its label beside it, in .cls, got none; add it"
    ]
    assert reading.listings["train"].labels == ("1", "0")


def test_two_images_under_a_key_are_refused(tmp_path):
    data = tarred({"0.png": image(0), "0.mask.png": image(1), "0.cls": b"1"})
    with pytest.raises(DataError, match=r"a key must have one image, got `x.tar/0.mask.png`, `x.tar/0.png`"):
        reading_of({"x.tar": data}, tmp_path / "data")


def test_a_tar_of_class_folders_is_another_form(tmp_path):
    data = tarred({"a/0.png": image(0), "b/1.png": image(1)})

    reading, _ = reading_of({"x.tar": data}, tmp_path / "data")

    assert reading.form == "folders of classes in `x.tar/`"
    assert reading.listings["train"].labels == ("a", "b")


def test_a_text_beside_the_folders_in_a_tar_is_no_label(tmp_path):
    folders = {f"rice/{name}/{n}.png": image(10 * at + n) for at, name in enumerate("ab") for n in range(3)}
    reading, _ = reading_of({"x.tar": tarred(folders | {"rice/citation.txt": b"cite"})}, tmp_path / "data")

    assert set(reading.listings["train"].labels) == {"a", "b"}
