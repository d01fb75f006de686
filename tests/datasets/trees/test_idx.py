"""An idx file, packed or not, is a folder of images, or labels."""

import gzip
import io

import numpy as np
import pytest

from tests.datasets.trees.containers import idx_of
from tests.trees import write

IMAGES = np.random.default_rng(0).integers(0, 256, (11, 4, 4), dtype=np.uint8)
IMAGE_FILE, LABEL_FILE = idx_of(IMAGES), idx_of(np.arange(11))


@pytest.mark.parametrize("is_packed", [False, True], ids=["plain", "packed"])
@pytest.mark.parametrize("names", [("a-images-idx3-ubyte", "a-labels-idx1-ubyte"), ("a.images.idx3", "a.labels.idx1")])
def test_its_images_and_labels_are_read(tmp_path, opened, names, is_packed):
    if is_packed and not names[0].endswith("ubyte"):
        names = tuple(f"{name}-ubyte" for name in names)
    files = dict(zip(names, (IMAGE_FILE, LABEL_FILE), strict=True))
    if is_packed:
        files = {f"{name}.gz": gzip.compress(data) for name, data in files.items()}
    tree, findings = opened(write(files, tmp_path / "data"))
    images, labels = sorted(tree.arrays, key=lambda array: -len(array.shape))
    inner = f"{names[0]}.gz/{names[0]}" if is_packed else names[0]
    assert images.name == inner
    assert list(images.images) == [f"{inner}/{row:02}" for row in range(11)]
    assert np.array_equal(np.load(io.BytesIO(tree.read(f"{inner}/10")), allow_pickle=False), IMAGES[10])
    assert labels.values() == [str(label) for label in range(11)]
    assert findings.problems == []


@pytest.mark.parametrize("data", [IMAGE_FILE[:-1], IMAGE_FILE + b"x", IMAGE_FILE[:9]], ids=["cut", "longer", "header"])
def test_another_length_than_its_header_says_is_a_problem(tmp_path, opened, data):
    tree, findings = opened(write({"a-images-idx3-ubyte": data}, tmp_path / "data"))
    (problem,) = findings.problems
    assert str(problem).startswith(f"{tmp_path}/data/a-images-idx3-ubyte: idx file must be whole, got ")
    assert list(tree.files) == ["a-images-idx3-ubyte"]


def test_a_packed_file_beside_its_unpacked_self_is_not_read_twice(tmp_path, opened):
    files = {"a-labels-idx1-ubyte": LABEL_FILE, "a-labels-idx1-ubyte.gz": gzip.compress(LABEL_FILE)}
    tree, findings = opened(write(files, tmp_path / "data"))
    assert [array.name for array in tree.arrays] == ["a-labels-idx1-ubyte"]
    assert findings.notes == ["1 packed file is not opened, being unpacked beside: a-labels-idx1-ubyte.gz."]
