"""Arrays of images find their arrays of labels by split, length and name."""

import gzip
import io

import numpy as np
import pytest

from sweep.datasets.problems import DataError
from tests.datasets.sources.reading import reading_of, splits_of
from tests.datasets.trees.containers import idx_of, npz_of

RNG = np.random.default_rng(0)


def images(count: int) -> np.ndarray:
    return RNG.integers(0, 256, (count, 6, 6, 3), dtype=np.uint8)


def labels(count: int) -> np.ndarray:
    return np.arange(count) % 3


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


MEDICAL = {
    "train_images": images(9),
    "train_labels": labels(9)[:, None],
    "val_images": images(3),
    "val_labels": labels(3)[:, None],
    "test_images": images(3),
    "test_labels": labels(3)[:, None],
}
GREY = images(9)[..., 0]
FORMS = {
    "medical": ({"pathmnist.npz": npz_of(**MEDICAL)}, {"train": 9, "validation": 3, "test": 3}),
    "Keras": (
        {"mnist.npz": npz_of(x_train=GREY, y_train=labels(9), x_test=GREY[:3], y_test=labels(3))},
        {"train": 9, "test": 3},
    ),
    "one array each": (
        {
            "X_train.npy": npy(GREY),
            "y_train.npy": npy(labels(9)),
            "X_val.npy": npy(GREY[:3]),
            "y_val.npy": npy(labels(3)),
        },
        {"train": 9, "validation": 3},
    ),
    "idx": (
        {
            "MNIST/raw/train-images-idx3-ubyte": idx_of(GREY),
            "MNIST/raw/train-labels-idx1-ubyte": idx_of(labels(9)),
            "MNIST/raw/t10k-images-idx3-ubyte.gz": gzip.compress(idx_of(GREY[:3])),
            "MNIST/raw/t10k-labels-idx1-ubyte.gz": gzip.compress(idx_of(labels(3))),
        },
        {"train": 9, "test": 3},
    ),
    "no split": ({"all.npz": npz_of(images=images(9), labels=np.eye(3)[labels(9)])}, {"train": 9}),
    "folders of splits": (
        {"train/data.npy": npy(images(9)), "train/target.npy": npy(labels(9)), "test/data.npy": npy(images(3))},
        {"train": 9, "test": 3},
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_it_is_read(tmp_path, form):
    files, counts = FORMS[form]
    reading, findings = reading_of(files, tmp_path / "data")
    assert {split: len(listing.ids) for split, listing in reading.listings.items()} == counts
    for split, (names, values) in splits_of(reading).items():
        assert len(set(names)) == counts[split]
        assert values is None or values[:3] == ("0", "1", "2")
    assert reading.listings["train"].labels is not None
    assert findings.problems == []


def test_an_array_with_the_names_of_the_classes_names_them(tmp_path):
    names = {"list_classes": np.array([b"cat", b"dog", b"owl"]), "coarse_names": np.array(["a", "b"])}
    data = npz_of(train_x=images(9), train_y=labels(9), test_x=images(2), test_y=labels(2), **names)
    reading, _ = reading_of({"animals.npz": data}, tmp_path / "data")
    assert reading.listings["train"].labels[:3] == ("cat", "dog", "owl")
    assert reading.listings["test"].labels == ("cat", "dog")


def test_two_arrays_of_labels_are_asked_for(tmp_path):
    data = npz_of(train_images=images(9), train_fine_labels=labels(9), train_coarse_labels=labels(9) // 2)
    with pytest.raises(DataError) as refusal:
        reading_of({"x.npz": data}, tmp_path / "data")
    assert str(refusal.value) == (
        f"{tmp_path}/data: one array must hold the labels of train, got `x.npz/train_coarse_labels`, "
        "`x.npz/train_fine_labels`; choose with --label-column coarse or --label-column fine"
    )
    reading, _ = reading_of({}, tmp_path / "data", label_column="train_coarse_labels")
    by_word, _ = reading_of({}, tmp_path / "data", label_column="coarse")
    assert reading.listings["train"].labels[:3] == by_word.listings["train"].labels[:3] == ("0", "0", "1")


def test_of_several_data_sets_in_a_folder_one_is_asked_for(tmp_path):
    files = {}
    for name in ("balanced", "letters"):
        files[f"emnist-{name}-train-images-idx3-ubyte"] = idx_of(GREY)
        files[f"emnist-{name}-train-labels-idx1-ubyte"] = idx_of(labels(9))
    with pytest.raises(DataError, match="one array must hold the images of train, got `emnist-balanced-train-images"):
        reading_of(files, tmp_path / "data")
    reading, _ = reading_of({}, tmp_path / "data", images="emnist-letters-train-images-idx3-ubyte")
    assert reading.listings["train"].files[0] == "emnist-letters-train-images-idx3-ubyte/0"
    assert reading.inferred == ("label: array emnist-letters-train-labels-idx1-ubyte",)


def test_labels_of_another_length_are_no_labels(tmp_path):
    data = npz_of(train_images=images(9), train_labels=labels(8))
    with pytest.raises(DataError, match=r"an array of labels must have a row for each of the 9 images, got .* with 8;"):
        reading_of({"x.npz": data}, tmp_path / "data")


def test_labels_that_are_python_objects_are_told_as_what_is_missing(tmp_path):
    data = npz_of(train_images=images(2), train_labels=np.array([None, "x"], dtype=object))
    with pytest.raises(DataError, match=r"got `x.npz/train_labels`, and it holds Python objects"):
        reading_of({"x.npz": data}, tmp_path / "data")


def test_images_for_testing_alone_are_not_enough(tmp_path):
    with pytest.raises(DataError, match=r"one array of images must be for training, got `x.npz/test_images`"):
        reading_of({"x.npz": npz_of(test_images=images(3), test_labels=labels(3))}, tmp_path / "data")


def test_packed_hdf5_files_of_images_and_of_labels_find_each_other(tmp_path):
    h5py = pytest.importorskip("h5py")
    files = {}
    for split, count in (("train", 9), ("test", 3)):
        for name, array in (("x", images(count)), ("y", labels(count).reshape(count, 1, 1, 1))):
            buffer = io.BytesIO()
            with h5py.File(buffer, "w") as file:
                file[name] = array
            files[f"camelyonpatch_level_2_split_{split}_{name}.h5.gz"] = gzip.compress(buffer.getvalue())
    reading, findings = reading_of(files, tmp_path / "data")
    assert reading.listings["train"].labels == ("0", "1", "2") * 3
    assert reading.listings["test"].labels == ("0", "1", "2")
    assert findings.problems == []


def test_of_several_sets_a_word_chooses_one_in_every_split(tmp_path):
    files = {}
    for name, count in (("letters", 9), ("digits", 6)):
        for split in ("train", "test"):
            files[f"emnist-{name}-{split}-images-idx3-ubyte"] = idx_of(images(count)[..., 0])
            files[f"emnist-{name}-{split}-labels-idx1-ubyte"] = idx_of(labels(count).astype(np.uint8))

    with pytest.raises(DataError, match="choose with --images digits or --images letters"):
        reading_of(files, tmp_path / "data")
    reading, _ = reading_of({}, tmp_path / "data", images="letters")

    assert {split: len(listing.labels) for split, listing in reading.listings.items()} == {"train": 9, "test": 9}


def test_arrays_of_no_shape_of_images_are_named_with_their_shapes(tmp_path):
    data = npz_of(data=np.zeros((4, 784), np.uint8), labels=labels(4))
    with pytest.raises(DataError, match=r"an array must hold images.*got `x.npz/data` of 4 x 784, .*numpy.reshape"):
        reading_of({"x.npz": data}, tmp_path / "data")
