"""A .npz is a folder of arrays, each a folder of images."""

import io

import numpy as np
import pytest

from tests.datasets.trees.containers import npz_of
from tests.trees import write

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (12, 5, 5, 3), dtype=np.uint8)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_its_images_and_labels_are_listed_and_read(tmp_path, opened, save):
    data = npz_of(save, train_images=IMAGES, train_labels=np.arange(12)[:, None], val_images=IMAGES[:2, ..., 0])
    tree, findings = opened(write({"set.npz": data}, tmp_path / "data") / "set.npz")
    assert [(array.name, array.shape, len(array.images or ())) for array in tree.arrays] == [
        ("set.npz/train_images", (12, 5, 5, 3), 12),
        ("set.npz/train_labels", (12, 1), 0),
        ("set.npz/val_images", (2, 5, 5), 2),
    ]
    assert list(tree.files) == [f"set.npz/train_images/{row:02}" for row in range(12)] + [
        f"set.npz/val_images/{row}" for row in range(2)
    ]
    assert tree.arrays[1].values()[:3] == ["0", "1", "2"]
    stored = np.load(io.BytesIO(tree.read("set.npz/train_images/07")), allow_pickle=False)
    assert np.array_equal(stored, IMAGES[7])
    assert (findings.problems, tree.path, list(tree.stamps)) == ([], f"{tmp_path}/data", ["set.npz"])


def test_objects_in_one_array_leave_the_others(tmp_path, opened):
    data = npz_of(images=IMAGES, labels=np.array([None, "x"], dtype=object))
    tree, _ = opened(write({"set.npz": data}, tmp_path / "data"))
    assert {array.name: array.why_not[:24] for array in tree.arrays} == {
        "set.npz/images": "",
        "set.npz/labels": "it holds Python objects,",
    }
    assert len(tree.files) == 12
