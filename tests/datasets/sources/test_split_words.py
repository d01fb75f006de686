"""A name speaks of one split or of none."""

import pytest

from sweep.datasets.sources.split_words import are_splits, split_in_path

NAMES = {
    "data/train-00000-of-00001.parquet": "train",
    "sign_mnist_test/sign_mnist_test.csv": "test",
    "t10k-images-idx3-ubyte": "test",
    "x_train": "train",
    "X_Train": "train",
    "valSet": "validation",
    "default/validation/0000.parquet": "validation",
    "train/test_images.npy": "test",
    "Training.csv": "train",
    "train_test_split.csv": None,
    "latest/protest/value.csv": None,
    "data.csv": None,
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_speaks_of_a_split(name):
    assert split_in_path(name) == NAMES[name]


def test_a_column_names_splits_where_every_value_does():
    assert are_splits(["Training", "PublicTest", "PrivateTest", "Training"])
    assert not are_splits(["test", "val"])
    assert not are_splits(["train", "left"])
