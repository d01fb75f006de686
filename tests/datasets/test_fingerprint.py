import numpy as np
import pytest

from sweep.datasets.fingerprint import data_table, differences
from sweep.datasets.load import load
from sweep.storage.sweep_file import DataOptions
from tests.trees import image, pack, table, with_manifests, write

TREE = with_manifests(train=30, validation=12, test=8)
CANNOT = ["the table of the images as they were is damaged: they cannot be compared one by one"]


@pytest.fixture
def before(tmp_path):
    return data_table(load(pack(TREE, tmp_path / "before.zip")))


def changed(tmp_path, **options):
    """The data with other files: bytes by name, None for a file less."""
    files = {name: data for name, data in (TREE | options).items() if data is not None}
    return load(pack(files, tmp_path / "after.zip"))


def rows(split: str) -> list[str]:
    return TREE[f"{split}.txt"].decode().split()


def test_the_table_has_a_row_an_image_with_its_label_as_written(before):
    lines = before.decode().splitlines()
    assert len(lines) == 51
    assert lines[0] == "split,id,label,sha256"
    assert [line.rsplit(",", 1)[0] for line in (lines[2], lines[31], lines[43])] == [
        "train,train1.png,1",
        "validation,validation0.png,0",
        "test,test0.png,",
    ]
    assert all(len(line.rsplit(",", 1)[1]) == 16 for line in lines[1:])


def test_data_that_is_as_it_was_has_no_differences(before, tmp_path):
    assert differences(before, load(write(TREE, tmp_path / "folder"))) == []


HEADER, *TRAIN = rows("train")
_, *VALIDATION = rows("validation")
CHANGES = {
    "a label": (
        {"train.txt": table(HEADER, "train0.png,1", *TRAIN[1:])},
        ["train: `train0.png` has another label: was `0`, now `1`"],
    ),
    "a pixel": ({"test/test3.png": image(99)}, ["test: `test3.png` has other pixels"]),
    "an image less": ({"train.txt": table(HEADER, *TRAIN[:7], *TRAIN[8:])}, ["train: `train7.png` is gone"]),
    "an image more": (
        {"validation.txt": table(HEADER, *VALIDATION, "x.png,2"), "train+validation/x.png": image(99)},
        ["validation: `x.png` is new"],
    ),
    "the order": ({"validation.txt": table(HEADER, *VALIDATION[::-1])}, ["the order of validation differs"]),
    "the split of an image": (
        {"train.txt": table(HEADER, *TRAIN[1:]), "validation.txt": table(HEADER, *VALIDATION, TRAIN[0])},
        ["train: `train0.png` is gone", "validation: `train0.png` is new"],
    ),
    "the name of an image": (
        {
            "train.txt": table(HEADER, "x.png,0", *TRAIN[1:]),
            "train+validation/x.png": TREE["train+validation/train0.png"],
        },
        ["train: `train0.png` is gone", "train: `x.png` is new"],
    ),
    "a label and a pixel": (
        {"train.txt": table(HEADER, *TRAIN[:-1], "train29.png,0"), "train+validation/train29.png": image(99)},
        ["train: `train29.png` has another label: was `2`, now `0`", "train: `train29.png` has other pixels"],
    ),
    "no test": ({"test.txt": None, "sample_submission.txt": None}, ["the test split is gone: 8 images"]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_is_said_and_changes_the_fingerprint(before, tmp_path, name):
    files, sentences = CHANGES[name]
    data = changed(tmp_path, **files)
    assert differences(before, data) == sentences
    assert data.fingerprint != changed(tmp_path).fingerprint


def test_a_split_that_was_not_there_is_said(tmp_path):
    before = data_table(changed(tmp_path, **{"test.txt": None, "sample_submission.txt": None}))
    assert differences(before, changed(tmp_path)) == ["the test split is new: 8 images"]


def test_the_image_size_changes_the_fingerprint_but_no_image(before, tmp_path):
    data = load(write(TREE, tmp_path / "folder"), DataOptions(8))
    assert data.fingerprint != load(tmp_path / "folder").fingerprint
    assert differences(before, data) == []


@pytest.mark.parametrize(
    "damaged",
    [b"", b"\n", b"id,label\n", b"split,id,label,sha256\n", b"\xff\xfe", b'split,id,label,sha256\n"', b"x" * 200000],
)
def test_what_is_no_table_cannot_be_compared(before, tmp_path, damaged):
    assert differences(damaged, changed(tmp_path)) == CANNOT


def test_a_damaged_table_never_stops_the_comparison(before, tmp_path):
    data, rng = changed(tmp_path), np.random.default_rng(0)
    for end in rng.integers(0, len(before) - 1, 100):
        assert differences(before[:end], data)
    for place in rng.integers(0, len(before), 100):
        flipped = bytearray(before)
        flipped[place] ^= 1 << rng.integers(8)
        assert differences(bytes(flipped), data)


def test_a_worker_gets_no_names_and_no_test_images(tmp_path):
    data = changed(tmp_path)
    worker = data.for_training()
    assert (worker.train.ids, worker.valid.digests, worker.test, worker.submission) == ((), (), None, None)
    assert worker.train.images is data.train.images
    assert worker.valid.labels is data.valid.labels
