"""What both layouts of before keep to: each is recognised, listed whole, and says what it leaves out."""

import pytest

from sweep.datasets import layouts
from sweep.datasets.file_tree import FileTree
from sweep.datasets.load import load
from sweep.datasets.problems import DataError, Findings
from tests.trees import LAYOUTS, image, pack, write

SPLITS = {"train": 6, "validation": 3, "test": 3}  # images of each, as `LAYOUTS` has them


@pytest.mark.parametrize("name", LAYOUTS)
class TestLayout:
    def test_the_first_that_recognises_its_data_is_itself(self, name, tmp_path):
        with FileTree(write(LAYOUTS[name](), tmp_path / "data")) as tree:
            recognised = [layout.is_in(tree, "") for layout in layouts.LAYOUTS]

        assert list(LAYOUTS)[recognised.index(True)] == name

    def test_it_lists_every_image_of_each_split_once_with_its_label_and_has_nothing_to_say(self, name, tmp_path):
        findings = Findings()
        with FileTree(write(LAYOUTS[name](), tmp_path / "data")) as tree:
            listings = layouts.find(tree, findings).listings

        assert {split: len(set(listing.ids)) for split, listing in listings.items()} == SPLITS
        for split, listing in listings.items():
            assert set(listing.files) <= tree.files.keys()
            assert (listing.labels is None) == (split == "test")
            assert len(listing.files) == len(listing.ids) == len(listing.labels or listing.ids)
        assert (findings.problems, findings.notes) == ([], [])

    def test_a_folder_and_an_archive_with_or_without_a_folder_on_top_are_the_same_data(self, name, tmp_path):
        tree = LAYOUTS[name]()
        folder, above = write(tree, tmp_path / "data"), write(tree, tmp_path / "above/top").parent
        archives = [pack(tree, tmp_path / "a.zip"), pack(tree, tmp_path / "b.zip", "top/")]

        assert len({load(path).fingerprint for path in (folder, above, *archives)}) == 1

    def test_an_image_that_is_no_image_is_named_by_its_place(self, name, tmp_path):
        folder = write(LAYOUTS[name](), tmp_path / "data")
        with FileTree(folder) as tree:
            listing = layouts.find(tree, Findings()).listings["train"]
        (folder / listing.files[1]).write_bytes(b"<html>")

        with pytest.raises(DataError) as error:
            load(folder)

        assert [problem.place for problem in error.value.problems] == [listing.place_of(1)]

    def test_an_image_that_it_does_not_use_is_noted(self, name, tmp_path):
        folder = write(LAYOUTS[name]() | {"elsewhere/more.png": image(99)}, tmp_path / "data")

        (note,) = load(folder).notes

        assert note.startswith("Left out: 1 image ")

    def test_a_split_that_is_not_there_is_said_not_guessed(self, name, tmp_path):
        full = load(write(LAYOUTS[name](), tmp_path / "full"))
        folder = write(LAYOUTS[name](train=12, validation=0, test=0), tmp_path / "data")
        for file in [*folder.glob("validation*"), *folder.glob("test*"), *folder.glob("sample*")]:
            file.unlink()

        data = load(folder)

        assert data.test is None
        assert data.classes == full.classes
        assert len(data.valid.ids) == len(data.classes)
        assert [note.partition(":")[0] for note in data.notes] == ["No test split", "No validation split"]
