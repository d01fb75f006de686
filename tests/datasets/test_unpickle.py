"""Pickles become a .npz that the sources read."""

import gzip
import pickle

import numpy as np
import pytest
from click.testing import CliRunner

from sweep.datasets.unpickle import main
from tests.datasets.sources.reading import reading_of

RNG = np.random.default_rng(0)


def batch(count: int, labels: str = "labels") -> bytes:
    return pickle.dumps(
        {
            b"batch_label": b"training batch 1 of 5",
            labels.encode(): [row % 3 for row in range(count)],
            b"data": RNG.integers(0, 256, (count, 3072), dtype=np.uint8),
            b"filenames": [f"{row}.png".encode() for row in range(count)],
        }
    )


def run(*arguments: object) -> str:
    result = CliRunner().invoke(main, [*map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_batches_as_of_cifar_become_splits_with_names_of_classes(tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for number in (1, 2):
        (folder / f"data_batch_{number}").write_bytes(batch(6))
    (folder / "test_batch").write_bytes(batch(3))
    (folder / "batches.meta").write_bytes(pickle.dumps({b"label_names": [b"cat", b"dog", b"owl"], b"vis": 3072}))
    (folder / "readme.html").write_text("<html>", encoding="utf-8")
    (tmp_path / "data").mkdir()
    said = run(folder, "--out", tmp_path / "data/cifar10.npz")
    reading, findings = reading_of({}, tmp_path / "data")
    assert reading.listings["train"].labels == ("cat", "dog", "owl") * 4
    assert reading.listings["test"].labels == ("cat", "dog", "owl")
    assert "train_data: uint8, 12x32x32x3" in said
    assert findings.problems == []


def test_colours_that_follow_each_other_are_put_together(tmp_path):
    planes = np.arange(3072, dtype=np.uint16).astype(np.uint8).reshape(1, 3072)
    (tmp_path / "train").write_bytes(pickle.dumps({b"data": planes, b"fine_labels": [1]}))
    run(tmp_path / "train", "--out", tmp_path / "x.npz")
    with np.load(tmp_path / "x.npz", allow_pickle=False) as arrays:
        image = arrays["train_data"][0]
    assert np.array_equal(image[..., 1], planes[0, 1024:2048].reshape(32, 32))


def test_three_pairs_are_three_splits(tmp_path):
    pairs = tuple((RNG.random((count, 784), dtype=np.float32), np.arange(count) % 3) for count in (6, 3, 3))
    (tmp_path / "mnist.pkl.gz").write_bytes(gzip.compress(pickle.dumps(pairs)))
    (tmp_path / "data").mkdir()
    run(tmp_path / "mnist.pkl.gz", "--out", tmp_path / "data/mnist.npz")
    reading, _ = reading_of({}, tmp_path / "data")
    assert {split: len(listing.ids) for split, listing in reading.listings.items()} == {
        "train": 6,
        "validation": 3,
        "test": 3,
    }


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (pickle.dumps(pytest.raises), "must be a pickle of numbers and text, got a pickle of"),
        (b"no pickle", "must be a pickle of numbers and text, got a pickle that is not whole"),
        (pickle.dumps("text"), "pickles must hold arrays of images and labels, got none"),
    ],
    ids=["a function", "no pickle", "no arrays"],
)
def test_anything_else_is_refused_and_writes_nothing(tmp_path, data, words):
    (tmp_path / "x.pkl").write_bytes(data)
    result = CliRunner().invoke(main, [str(tmp_path / "x.pkl"), "--out", str(tmp_path / "x.npz")])
    assert (result.exit_code, words in result.output) == (2, True)
    assert not (tmp_path / "x.npz").exists()
