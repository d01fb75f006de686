"""What every form of data must keep to: it is recognised, listed whole and in order, and says what it leaves out."""

import pytest

from datasets.file_tree import FileTree
from datasets.load import load
from datasets.problems import DataError, Findings
from datasets.sources import NAMES, all_sources
from datasets.sources.finder import find_splits
from tests.copies import add_line, copied_project, run_in
from tests.trees import FORMS, image, pack, write

SPLITS = {"train": 6, "validation": 3, "test": 3}  # images of each, as `FORMS` has them


@pytest.mark.parametrize("name", NAMES)
class TestSource:
    def test_the_first_that_recognises_its_data_is_itself(self, name, tmp_path):
        with FileTree(write(FORMS[name](), tmp_path / "data")) as tree:
            recognised = [source.is_in(tree, "") for source in all_sources()]

        assert NAMES[recognised.index(True)] == name

    def test_it_lists_every_image_of_each_split_once_with_its_label_and_has_nothing_to_say(self, name, tmp_path):
        findings = Findings()
        with FileTree(write(FORMS[name](), tmp_path / "data")) as tree:
            listings = find_splits(tree, findings).listings

        assert {split: len(set(listing.ids)) for split, listing in listings.items()} == SPLITS
        for split, listing in listings.items():
            assert set(listing.files) <= tree.files.keys()
            assert (listing.labels is None) == (split == "test")
            assert len(listing.files) == len(listing.ids) == len(listing.labels or listing.ids)
        assert (findings.problems, findings.notes) == ([], [])

    def test_a_folder_and_an_archive_with_or_without_a_folder_on_top_are_the_same_data(self, name, tmp_path):
        tree = FORMS[name]()
        folder, above = write(tree, tmp_path / "data"), write(tree, tmp_path / "above/top").parent
        archives = [pack(tree, tmp_path / "a.zip"), pack(tree, tmp_path / "b.zip", "top/")]

        assert len({load(path).fingerprint for path in (folder, above, *archives)}) == 1

    def test_an_image_that_is_no_image_is_named_by_its_place(self, name, tmp_path):
        folder = write(FORMS[name](), tmp_path / "data")
        with FileTree(folder) as tree:
            listing = find_splits(tree, Findings()).listings["train"]
        (folder / listing.files[1]).write_bytes(b"<html>")

        with pytest.raises(DataError) as error:
            load(folder)

        assert [problem.place for problem in error.value.problems] == [listing.place_of(1)]

    def test_an_image_that_it_does_not_use_is_noted(self, name, tmp_path):
        folder = write(FORMS[name]() | {"elsewhere/more.png": image(99)}, tmp_path / "data")

        (note,) = load(folder).notes

        assert note.startswith("Left out: 1 image ")

    def test_a_split_that_is_not_there_is_said_not_guessed(self, name, tmp_path):
        full = load(write(FORMS[name](), tmp_path / "full"))
        folder = write(FORMS[name](train=12, validation=0, test=0), tmp_path / "data")
        for file in [*folder.glob("validation*"), *folder.glob("test*"), *folder.glob("sample*")]:
            file.unlink()

        data = load(folder)

        assert data.test is None
        assert data.classes == full.classes
        assert len(data.valid.ids) == len(data.classes)
        assert [note.partition(":")[0] for note in data.notes] == ["No test split", "No validation split"]


def test_where_nothing_is_recognised_every_form_is_named(tmp_path):
    with pytest.raises(DataError) as error:
        load(write({"readme.md": b"none"}, tmp_path / "data"))

    (problem,) = error.value.problems
    assert all(source.looked_for in problem.rule for source in all_sources())
    assert problem.got == "`readme.md`"


NAMED_BY_LABEL = '''"""Data as folders of splits whose files begin with their label, `train/LABEL.1.png`."""

from dataclasses import replace

from datasets.file_tree import FileTree
from datasets.problems import Findings
from datasets.sources import Source, Splits
from datasets.sources.left_out import note_left_out
from datasets.sources.listing import list_folder


def is_in(tree: FileTree, root: str) -> bool:
    inside = [name.removeprefix(f"{root}train/") for name in tree.visible if name.startswith(f"{root}train/")]
    return bool(inside) and all(name.count(".") == 2 and "/" not in name for name in inside)


def list_splits(tree: FileTree, root: str, findings: Findings) -> Splits:
    listings = {split: list_folder(tree, f"{root}{split}/") for split in ("train", "validation", "test")}
    listings = {split: listing for split, listing in listings.items() if listing.ids}
    for split in listings.keys() - {"test"}:
        labels = tuple(name.partition(".")[0] for name in listings[split].ids)
        listings[split] = replace(listings[split], labels=labels)
    note_left_out(tree, {file for listing in listings.values() for file in listing.files}, "of no split", findings)
    return Splits(listings)


SOURCE = Source("files train/LABEL.1.png", is_in, list_splits)
'''

ITS_DATA = """

def with_labels_in_names(train=6, validation=3, test=3):
    return {
        f"{split}/{'abc'[number % 3] + '.' if split != 'test' else ''}{number}.png": image(1000 * len(split) + number)
        for split, count in (("train", train), ("validation", validation), ("test", test))
        for number in range(count)
    }


FORMS["labels_in_names"] = with_labels_in_names
"""


def test_a_source_is_added_by_one_file_and_one_line(tmp_path):
    copy = copied_project(tmp_path / "copy")
    (copy / "datasets/sources/labels_in_names.py").write_text(NAMED_BY_LABEL)
    add_line(copy / "datasets/sources/__init__.py", "NAMES = (", '    "labels_in_names",')
    with open(copy / "tests/trees.py", "a") as trees:
        trees.write(ITS_DATA)

    suite = run_in(copy, "-m", "pytest", "-v", "tests/datasets/sources/test_sources.py", "-k", "not added")

    assert suite.returncode == 0, suite.stdout
    assert "19 passed" in suite.stdout
