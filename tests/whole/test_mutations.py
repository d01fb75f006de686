"""Whatever happens to a data set, it is read whole, in order, or refused by the name of what is wrong."""

import csv
import hashlib
import io
import os
import re
import signal
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from sweep.datasets.bad_images import Fault
from sweep.datasets.load import load
from sweep.datasets.pixels.dataset import Dataset
from sweep.datasets.problems import DataError
from sweep.storage.sweep_file import DataOptions
from tests.mutated_forms import FORMS
from tests.mutations import Form, Mutated, mutated, pack, write
from tests.plain_reading import files_of, images_of, is_image
from tests.trees import RGB, encoded, image, with_class_folders, with_manifests

EXAMPLES = int(os.environ.get("SWEEP_MUTATIONS", "100"))
LONGEST = 120  # seconds, for a data set of twenty images
TREES = (
    with_manifests(train=8, validation=2, test=2, classes=2),
    with_class_folders(train=8, validation=2, test=2, classes=2),
)
SQUARE = RGB.crop((0, 0, 4, 4))
for tree in TREES:  # a file is what its bytes are, whatever its suffix
    files = sorted(name for name in tree if "train" in name and name.endswith(".png"))
    for file, kind in zip(files, ("JPEG", "WEBP", "TIFF", "BMP"), strict=False):
        tree[file] = encoded(SQUARE, kind)
SPLITS = {"train": ("train",), "validation": ("validation", "valid", "val"), "test": ("test",)}
OF_LAYOUTS = st.sampled_from([Form(dict(tree), {}) for tree in TREES])
AS_ASKED = settings(
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
ROOT = Path(__file__).parents[2]
CODE = [*map(str, (ROOT, sys.prefix, sys.base_prefix)), *sysconfig.get_paths().values()]


class Ear:
    """Hears which files are opened and which folders are listed while it is open."""

    def __init__(self) -> None:
        self.is_open = False
        self.heard: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, name: str, arguments: tuple[object, ...]) -> None:
        if self.is_open and name in ("open", "os.listdir", "os.scandir") and isinstance(arguments[0], str):
            self.heard.append(arguments[0])


EAR: list[Ear] = []  # one for the whole process: a hook stays


@contextmanager
def watched(path: Path) -> Iterator[None]:
    """Fails where anything is opened that is neither data, code, nor in the cache, or where reading does not end."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"still reading after {LONGEST} s")

    if not EAR:
        EAR.append(Ear())
    ear = EAR[0]
    ear.heard.clear()
    ear.is_open = True
    signal.signal(signal.SIGALRM, stop)
    signal.alarm(LONGEST)
    try:
        yield
    finally:
        signal.alarm(0)
        ear.is_open = False
    whole = {os.path.normpath(one) for one in ear.heard if one.startswith("/")}
    allowed = (str(path), os.environ["XDG_CACHE_HOME"], *CODE)
    assert [one for one in whole if not one.startswith(allowed)] == []
    # What does not begin with a slash is a step from a folder that is open, see FileTree.
    assert [one for one in ear.heard if not one.startswith("/") and ("/" in one or one in ("..", "secret.png"))] == []


def plain_ids(files: dict[str, bytes]) -> dict[str, list[str]]:
    """The ids of each split, as plainly as they can be found."""
    names = sorted(
        name for name in files if not any(part[0] == "." or part in ("__MACOSX", "@eaDir") for part in name.split("/"))
    )
    for root in ("", "top/"):
        tables = {
            split: files[name]
            for split, stems in SPLITS.items()
            for stem in stems
            for name in (f"{root}{stem}.txt", f"{root}{stem}.csv")
            if name in files
        }
        if "train" in tables:
            return {
                split: [row[0] for row in csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))][1:]
                for split, data in tables.items()
            }
        if any(name.startswith(f"{root}train/") for name in names):
            folders = {
                split: [
                    name.removeprefix(folder)
                    for name in names
                    if name.startswith(folder) and is_image(name, files[name])
                ]
                for split, stems in SPLITS.items()
                for stem in stems
                for folder in [f"{root}{stem}/"]
                if any(name.startswith(folder) and is_image(name, files[name]) for name in names)
            }
            return folders
    raise AssertionError("accepted without a train split")


def check_whole(data: Dataset, files: dict[str, bytes]) -> None:
    """Every id of the two layouts is there, in order; of another form it is said what it is read as."""
    train, valid = list(data.train.ids), list(data.valid.ids)
    is_other_form = any(note.startswith("Read as ") for note in data.notes)
    ids = {"train": train, "validation": valid} if is_other_form else plain_ids(files)
    if "validation" in ids:
        assert (train, valid) == (ids["train"], ids["validation"])
    else:  # cut from train
        apart = set(valid)
        assert [name for name in ids["train"] if name in apart] == valid
        assert [name for name in ids["train"] if name not in apart] == train
    by_sample = any("by it." in note for note in data.notes)  # the test images that no table names
    assert is_other_form or by_sample or (list(data.test.ids) if data.test else None) == ids.get("test")
    assert all(len(set(split.ids)) == len(split.ids) for split in data.splits.values())
    digests = {hashlib.sha256(content).hexdigest() for content in files.values()}
    for split in data.splits.values():
        assert len(split.ids) == len(split.images) == len(split.digests)
        assert set(split.digests) <= digests
        assert split.labels is None or len(split.labels) == len(split.ids)


def check_accounted(data: Dataset, mutation: Mutated, path: Path) -> None:
    """Every image is used, left out by name, or counted in a note; what is said of each is what the data says."""
    for split in data.splits.values():
        assert len(split.ids) == len(split.images) == len(split.digests) == len(set(split.ids))
        assert split.labels is None or len(split.labels) == len(split.ids)
    used = sum(len(split.ids) for split in data.splits.values())
    left_out = sum(image.reason != Fault.MISSING for image in data.left_out)
    ids = [name for split in data.splits.values() for name in split.ids]
    assert images_of(path, data.notes, ids) == used + left_out + counted_in(data.notes)
    assert {image.split for image in data.left_out} <= {"train", "validation"}
    # A flipped bit of an archive may be one of a name in it, which says the split or the label and has no checksum.
    truths = {} if mutation.flips else mutation.truths
    groups: dict[str, set[str]] = {}
    for name, split in data.splits.items():
        for row, digest in enumerate(split.digests):
            if truth := truths.get(digest):
                assert (name == "test") == (truth.split == "test"), split.ids[row]
                assert truth.split in ("", name), split.ids[row]
                label = None if split.labels is None else data.classes[split.labels[row]]
                assert label == truth.label or (name == "test" and label is None), split.ids[row]
                groups.setdefault(truth.group, set()).add(name)
    are_told = any("across groups" in note or "in validation too" in note for note in data.notes)
    assert are_told or all(not names >= {"train", "validation"} for group, names in groups.items() if group)


def counted_in(notes: Sequence[str]) -> int:
    """Returns how many images are said to be no part of the data."""
    found = (re.match(r"Left out: ([\d,]+) images? [^(]", note) for note in notes)
    return sum(int(each[1].replace(",", "")) for each in found if each)


def check_named(problems: list[str], path: Path) -> None:
    assert problems
    for problem in problems:
        assert problem.startswith((str(path), "--"))
        assert "; " in problem  # before the way out
        assert problem.isprintable()


def read(mutation: Mutated, top: Path, options: DataOptions) -> tuple[Path, Dataset | None]:
    """Writes a data set and reads it; returns None where it is refused, once the problems are looked at."""
    (top / "secret.png").write_bytes(image(999))
    place = top / "data"
    if mutation.packing == "folder":
        path = write(mutation.tree, place)
    else:
        path = pack(mutation.tree, Path(f"{place}{mutation.packing}"), mutation.flips)
    try:
        with watched(path):
            data = load(path, options)
    except DataError as error:
        event("refused")
        check_named([*map(str, error.problems)], path)
        return path, None
    event("accepted")
    return path, data


@pytest.mark.filterwarnings("ignore::UserWarning")  # of Pillow, before it refuses a file
@given(mutated(OF_LAYOUTS))
@settings(AS_ASKED, max_examples=EXAMPLES)
def test_mutated_data_is_read_whole_or_refused_by_name(mutation):
    with tempfile.TemporaryDirectory() as top:
        path, data = read(mutation, Path(top), DataOptions())
        if data:
            check_whole(data, files_of(path))


@pytest.mark.parametrize("kind", FORMS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_each_image_of_mutated_data_of_any_kind_is_accounted_for_or_the_data_is_refused_by_name(kind):
    @given(mutated(FORMS[kind], ("folder", ".zip", ".tar", ".tar.gz"), fewest=0), st.booleans())
    @settings(AS_ASKED, max_examples=max(1, EXAMPLES // len(FORMS)))
    def check(mutation: Mutated, leave_out: bool) -> None:
        options = DataOptions(leave_out="bad", min_per_class=2) if leave_out else DataOptions()
        with tempfile.TemporaryDirectory() as top:
            path, data = read(mutation, Path(top), options)
            if data:
                check_accounted(data, mutation, path)

    check()
