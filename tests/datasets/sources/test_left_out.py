"""Whatever a data set holds and is not used is counted by kind and said."""

import os
from pathlib import Path

import pytest

from sweep.datasets.load import load, load_images
from tests.trees import JPEG, PNG, RGB, encoded, image, pack, table, with_class_folders, with_manifests, write

SQUARE = RGB.crop((0, 0, 4, 4))
REST = {"a.txt": b"x", "b.txt": b"x", "sub/c.csv": b"x", "LICENCE": b"text", "a.svg": b"<svg>", ".d.png": b"x"}
REST_NOTE = "5 files that are no images (2 .txt, 1 .csv, 1 .svg, 1 without a suffix), 1 hidden file"


def with_links(folder: Path, outside: Path) -> Path:
    outside.write_bytes(image(99))
    (folder / "gone.png").symlink_to("nothing.png")
    (folder / "out.png").symlink_to(outside)
    (folder / "folder").symlink_to("sub")
    os.mkfifo(folder / "pipe.png")
    return folder


LINKS_NOTE = "1 link out of the folder, 1 link to a folder, 1 broken link, 1 pipe or device"


def test_new_images_are_known_by_any_suffix_of_theirs_or_by_what_they_begin_with(tmp_path):
    tree = {"a.jfif": JPEG, "b.JPE": JPEG, "c": PNG, "d.2021": JPEG, "e.PNG": PNG, "sub/f": encoded(SQUARE)}
    folder = write(tree | REST, tmp_path / "new")
    (folder / "g.png").symlink_to("sub/f")

    split = load_images(folder, (4, 4))

    assert split.ids == ("a.jfif", "b.JPE", "c", "d.2021", "e.PNG", "g.png", "sub/f")
    assert load_images(pack(tree, tmp_path / "new.zip"), (4, 4)).ids == tuple(sorted(tree))


def test_what_is_left_out_of_new_images_is_counted_by_kind(tmp_path):
    folder = with_links(write({"a.png": PNG} | REST, tmp_path / "new"), tmp_path / "outside.png")
    notes: list[str] = []

    assert load_images(folder, (4, 4), notes).ids == ("a.png",)
    assert notes == [f"Left out: {REST_NOTE}, {LINKS_NOTE}."]

    notes = []
    load_images(pack({"a.png": PNG} | REST, tmp_path / "new.zip"), (4, 4), notes)
    assert notes == [f"Left out: {REST_NOTE}."]


def test_what_a_table_of_new_images_does_not_name_is_counted_in_its_folder(tmp_path):
    tree = {f"new/{number}.png": image(number) for number in range(4)} | {"new/x.txt": b"", "else.txt": b""}
    folder = write(tree | {"new.csv": table("id", "1.png")}, tmp_path / "data")
    notes: list[str] = []

    load_images(folder / "new.csv", (4, 4), notes)

    images = "3 images that the table does not name (3 in `new/`)"
    assert notes == [f"Left out: {images}, 1 file that is no image (1 .txt)."]


@pytest.mark.parametrize("tree", [with_manifests(), with_class_folders()], ids=["tables", "class folders"])
def test_what_is_left_out_of_a_data_set_is_counted_by_kind(tree, tmp_path):
    extra = {"extra/x.png": image(98), "extra/y.png": image(97)}
    folder = with_links(write(tree | extra | REST, tmp_path / "data"), tmp_path / "outside.png")

    (note,) = load(folder).notes

    why = "that no table names" if "train.txt" in tree else "in no folder of a split"
    assert note == f"Left out: 2 images {why} (2 in `extra/`), {REST_NOTE}, {LINKS_NOTE}."
    (note,) = load(pack(tree | extra | REST, tmp_path / "data.zip")).notes
    assert note == f"Left out: 2 images {why} (2 in `extra/`), {REST_NOTE}."


def test_images_of_any_suffix_are_in_their_class(tmp_path):
    tree = with_class_folders()
    tree["train/a/new.jfif"], tree["train/b/new"] = encoded(SQUARE, "JPEG"), image(98)

    data = load(write(tree, tmp_path / "data"))

    assert {"a/new.jfif", "b/new"} < set(data.train.ids)
    assert data.notes == ()


@pytest.mark.parametrize("name", ["Val", "VALIDATION", "eval", "dev", "valid_set"])
def test_a_folder_with_nearly_the_name_of_a_split_was_left_aside_and_is_read_by_the_newest_rules(name, tmp_path):
    tree = {n.replace("validation/", f"{name}/"): data for n, data in with_class_folders(train=12).items()}
    folder = write(tree, tmp_path / "data")

    notes = load(folder, listing=2).notes

    assert len(load(folder).valid.ids) == 3

    rule = "a split is a folder train, validation (or valid, val) or test, written so; rename it to use it"
    assert notes[0] == f"`{name}/` is left aside, with 3 images: {rule}."
    assert "No validation split" in notes[2]


def test_a_test_folder_in_capitals_was_left_aside_and_is_read_by_the_newest_rules(tmp_path):
    folder = write(
        {name.replace("test/", "Test/"): data for name, data in with_class_folders().items()}, tmp_path / "data"
    )

    data = load(folder, listing=2)

    assert load(folder).test.ids == ("test0.png", "test1.png", "test2.png")
    assert data.test is None
    assert data.notes[0].startswith("`Test/` is left aside, with 3 images")


@pytest.mark.parametrize(
    ("name", "listing"), [("sample_submission.csv", 2), ("sampleSubmission.csv", 2), ("test.csv", 2), ("test.csv", 3)]
)
def test_a_table_beside_folders_of_classes_is_said_to_be_left_aside(name, listing, tmp_path):
    tree = with_class_folders() | {name: table("id,label", "test0.png,0")}

    notes = load(write(tree, tmp_path / "data"), listing=listing).notes

    rule = "tables are not read beside folders of classes; predictions.csv has the images of test/ by their names"
    assert notes == (f"`{name}` is left aside: {rule}.", "Left out: 1 file that is no image (1 .csv).")


def test_tables_that_no_layout_uses_were_left_aside_and_are_read_by_the_newest_rules(tmp_path):
    tree = with_manifests(train=12)
    tree["Validation.csv"] = tree.pop("validation.txt")
    del tree["test.txt"]

    folder = write(tree, tmp_path / "data")

    notes = load(folder, listing=2).notes

    assert (len(load(folder).valid.ids), len(load(folder).test.ids)) == (3, 3)
    assert any(note.startswith("`Validation.csv` is left aside: a table is train, validation") for note in notes)
    assert "`test/` is left aside, with 3 images: no table names its images." in notes
