"""What every form of data must keep to: it is recognised, listed whole and in order, and says what it leaves out."""

import pytest

from sweep.datasets.file_tree import FileTree
from sweep.datasets.load import load
from sweep.datasets.problems import DataError, Findings
from sweep.datasets.sources import NAMES, Reading, all_sources
from sweep.datasets.sources.finder import find_reading
from sweep.storage.sweep_file import DataOptions
from tests.copies import add_line, copied_project, run_in
from tests.datasets.sources.reading import reading_of
from tests.datasets.trees.containers import csv_of
from tests.trees import FORMS, image, pack, table, write

SPLITS = {"train": 6, "validation": 3, "test": 3}  # images of each, as `FORMS` has them
OF_FILES = [name for name in NAMES if name in FORMS]  # those of containers have tests of their own


@pytest.mark.parametrize("name", OF_FILES)
class TestSource:
    def test_the_first_that_reads_its_data_is_itself(self, name, tmp_path):
        with FileTree(write(FORMS[name](), tmp_path / "data")) as tree:
            tree.open_containers(Findings())
            readings = [source.read(tree, DataOptions(), Findings()) for source in all_sources()]

        assert NAMES[[isinstance(reading, Reading) for reading in readings].index(True)] == name

    def test_it_lists_every_image_of_each_split_once_with_its_label(self, name, tmp_path):
        findings = Findings()
        with FileTree(write(FORMS[name](), tmp_path / "data")) as tree:
            listings = find_reading(tree, DataOptions(), findings).listings

        assert {split: len(set(listing.ids)) for split, listing in listings.items()} == SPLITS
        for split, listing in listings.items():
            assert set(listing.files) <= tree.files.keys()
            assert (listing.labels is None) == (split == "test")
            assert len(listing.files) == len(listing.ids) == len(listing.labels or listing.ids)
        assert findings.problems == []
        assert [note.partition(" ")[0] for note in findings.notes] == ["Read"]

    def test_a_folder_and_an_archive_with_or_without_a_folder_on_top_are_the_same_data(self, name, tmp_path):
        tree = FORMS[name]()
        folder, above = write(tree, tmp_path / "data"), write(tree, tmp_path / "above/top").parent
        archives = [pack(tree, tmp_path / "a.zip"), pack(tree, tmp_path / "b.zip", "top/")]

        assert len({load(path).fingerprint for path in (folder, above, *archives)}) == 1

    def test_an_image_that_is_no_image_is_named_by_its_place(self, name, tmp_path):
        folder = write(FORMS[name](), tmp_path / "data")
        with FileTree(folder) as tree:
            listing = find_reading(tree, DataOptions(), Findings()).listings["train"]
        (folder / listing.files[1]).write_bytes(b"<html>")

        with pytest.raises(DataError) as error:
            load(folder)

        assert [problem.place for problem in error.value.problems] == [listing.place_of(1)]

    def test_files_that_it_does_not_use_are_noted(self, name, tmp_path):
        folder = write(FORMS[name]() | {"about.pdf": b"%PDF"}, tmp_path / "data")

        assert load(folder).notes[-1] == "Left out: 1 file that is no image (1 .pdf)."

    def test_a_validation_split_that_is_not_there_is_cut_and_a_test_split_is_missed(self, name, tmp_path):
        full = load(write(FORMS[name](), tmp_path / "full"))

        data = load(write(FORMS[name](train=12, validation=0, test=0), tmp_path / "data"))

        assert data.test is None
        assert data.classes == full.classes
        assert len(data.valid.ids) == len(data.classes)
        assert [note.partition(":")[0] for note in data.notes[1:]] == ["No test split", "No validation split"]


def test_where_nothing_is_recognised_every_form_is_named(tmp_path):
    with pytest.raises(DataError) as error:
        load(write({"readme.md": b"none"}, tmp_path / "data"))

    (problem,) = error.value.problems
    assert (problem.rule, problem.way_out) == ("data must hold images", "check the path")
    assert problem.got == "1 file, none of which is read as an image (1 .md)"
    assert all(source.looked_for in error.value.advice for source in all_sources())


BY_SUFFIX = '''"""Data whose files have their label behind two dashes, `12--cat.png`."""

from sweep.datasets.file_tree import FileTree
from sweep.datasets.problems import Findings
from sweep.datasets.sources import Nearly, Reading, Source
from sweep.datasets.sources.listing import Listing
from sweep.datasets.sources.split_names import split_in
from sweep.storage.sweep_file import DataOptions


def read(tree: FileTree, options: DataOptions, findings: Findings) -> Reading | Nearly | None:
    files = [name for name in tree.visible if tree.is_image(name)]
    if not any("--" in name for name in files):
        return None
    listings = {}
    for split in ("train", "validation", "test"):
        own = tuple(name for name in files if split in [split_in(part) for part in name.split("/")])
        labels = None if split == "test" else tuple(name.rpartition("--")[2].partition(".")[0] for name in own)
        if own:
            ids = tuple(name.rpartition("/")[2] for name in own)
            listings[split] = Listing(tree.path + "/", ids, labels, own)
    return Reading("names with dashes", "", listings, ("label: behind the dashes",))


SOURCE = Source("files `12--LABEL.png`", read)
'''

ITS_DATA = """

def with_dashes(train=6, validation=3, test=3, classes=3):
    return {
        f"{split}/{number}{'' if split == 'test' else '--' + 'abc'[number % 3]}.png": image(1000 * len(split) + number)
        for split, count in (("train", train), ("validation", validation), ("test", test))
        for number in range(count)
    }


FORMS["dashes"] = with_dashes
"""


def test_a_source_is_added_by_one_file_and_one_line(tmp_path):
    copy = copied_project(tmp_path / "copy")
    (copy / "datasets/sources/dashes.py").write_text(BY_SUFFIX)
    add_line(copy / "datasets/sources/__init__.py", "NAMES = (", '    "dashes",')
    with open(copy / "tests/trees.py", "a") as trees:
        trees.write(ITS_DATA)

    words = ("-m", "pytest", "-v", "tests/datasets/sources/test_sources.py", "-k", "dashes or recognised")
    suite = run_in(copy, *words)

    assert suite.returncode == 0, suite.stdout
    assert "7 passed" in suite.stdout


def test_a_table_and_an_array_of_other_images_are_two_readings_and_a_flag_chooses(tmp_path):
    photographs = {f"photos/{n}.png": image(n) for n in range(6)}
    rows = [[row % 2, *((row + at) % 256 for at in range(64))] for row in range(6)]
    small = csv_of(["label", *(f"pixel{at}" for at in range(64))], rows)
    files = {**photographs, "meta.csv": table("id,dx", *(f"{n},{'ab'[n % 2]}" for n in range(6))), "small.csv": small}

    with pytest.raises(DataError, match=r"choose with --train small.csv or --train meta.csv"):
        reading_of(files, tmp_path / "data")
    reading, _ = reading_of({}, tmp_path / "data", train="meta.csv")

    assert reading.listings["train"].labels == tuple("ababab")
