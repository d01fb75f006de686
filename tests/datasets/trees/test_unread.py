"""Kinds of files that hold images and are not read are told with what to do, once a kind."""

import pickle

import pytest

from sweep.datasets.problems import DataError
from sweep.datasets.trees.unread import PICKLE, unread_problems
from tests.trees import write

FILES = {
    "train.7z": (b"7z\xbc\xaf", "unpack it: 7z x {}"),
    "train.rar": (b"Rar!", "unpack it: unrar x {}"),
    "train.zip.001": (b"PK", "put them together"),
    "train.tar.zst": (b"\x28\xb5", "unpack it: unzstd {}"),
    "data_batch_1": (pickle.dumps({b"data": b"x"}), "convert it: python -m datasets.unpickle {} --out images.npz"),
    "train.pkl": (pickle.dumps([1]), "convert it: python -m datasets.unpickle {} --out images.npz"),
    "train_32x32.mat": (b"MATLAB 7.3 MAT-file", "save it from MATLAB with -v7"),
    "train.tfrecord": (b"", "take the data set in another form"),
    "data-00000-of-00001.arrow": (b"", "write them as Parquet"),
    "data.mdb": (b"", "write its images to files"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_kind_that_is_not_read_is_told_with_what_to_do(tmp_path, opened, name):
    data, way_out = FILES[name]
    folder = write({name: data, f"more/{name}": data}, tmp_path / "data")
    tree, findings = opened(folder)
    (problem,) = tree.unread()
    assert problem.place == f"{folder}/{name}" or problem.place == f"{folder}/more/{name}"
    assert problem.got.endswith(" and 1 more")
    named = problem.place.rpartition("/")[0] if "unpickle" in way_out else problem.place
    assert way_out.format(named) in str(problem)
    assert findings.problems == []


@pytest.mark.parametrize("name", FILES)
def test_as_the_data_itself_it_is_refused_so(tmp_path, opened, name):
    data, way_out = FILES[name]
    path = write({name: data}, tmp_path / "data") / name
    with pytest.raises(DataError) as refusal:
        opened(path)
    assert way_out.format(path) in str(refusal.value)


def test_a_pickle_in_an_archive_is_to_be_unpacked_before_it_is_converted():
    (problem,) = unread_problems({PICKLE: ["c.tar.gz/c/train", "c.tar.gz/c/test"]}, "data/{}".format)

    assert problem.way_out.startswith(
        "unpack data/c.tar.gz first, then convert it: python -m datasets.unpickle c --out"
    )
