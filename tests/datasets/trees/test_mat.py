"""A MATLAB file is a folder of arrays, whose images lie along the last axis."""

import io

import numpy as np
import pytest
from scipy.io import savemat

from sweep.datasets.trees import mat, unpacked
from tests.datasets.sources.reading import reading_of
from tests.trees import write

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 6, 5, 3), dtype=np.uint8)
LABELS = np.arange(12)[:, None] % 3 + 1


def mat_file(compressed: bool = False, **arrays: object) -> bytes:
    buffer = io.BytesIO()
    savemat(buffer, arrays, do_compression=compressed)
    return buffer.getvalue()


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "compressed"])
def test_images_and_labels_as_of_svhn_are_read(tmp_path, compressed):
    files = {
        f"{split}_32x32.mat": mat_file(compressed, X=np.moveaxis(IMAGES, 0, -1), y=LABELS.astype(np.uint8))
        for split in ("train", "test")
    }
    reading, findings = reading_of(files, tmp_path / "data")
    assert reading.listings["train"].labels == ("1", "2", "3") * 4
    assert reading.listings["test"].files[7] == "test_32x32.mat/X/07"
    assert findings.problems == []


FORMS = {
    "colour": (np.moveaxis(IMAGES, 0, -1), IMAGES[7]),
    "grey": (np.moveaxis(IMAGES[..., 0], 0, -1), IMAGES[7, ..., 0]),
    "doubles": (np.moveaxis(IMAGES, 0, -1) / 255, IMAGES[7]),
    "the images first, as the labels say": (IMAGES, IMAGES[7]),
}


@pytest.mark.parametrize("name", FORMS)
def test_an_image_is_read(tmp_path, opened, name, monkeypatch):
    monkeypatch.setattr(unpacked, "SMALL", 100)
    array, image = FORMS[name]
    tree, _ = opened(write({"x.mat": mat_file(X=array, y=LABELS)}, tmp_path / "data"))
    assert np.array_equal(np.load(io.BytesIO(tree.read("x.mat/X/07")), allow_pickle=False), image)
    assert tree.arrays[-1].values()[:3] == ["1", "2", "3"]


def test_a_file_without_images_stays_a_file(tmp_path, opened):
    tree, findings = opened(write({"x.mat": mat_file(name="text", cells={"a": 1})}, tmp_path / "data"))
    assert (list(tree.files), findings.problems) == (["x.mat"], [])


def test_an_array_that_is_too_large_for_memory_is_refused(tmp_path, opened, monkeypatch):
    monkeypatch.setattr(mat, "MOST_BYTES", 1000)
    _, findings = opened(write({"x.mat": mat_file(X=np.moveaxis(IMAGES, 0, -1))}, tmp_path / "data"))
    (problem,) = findings.problems
    assert "an array in a MATLAB file must have at most" in str(problem)


@pytest.mark.parametrize("cut", [130, 500, -20])
def test_a_cut_file_is_a_problem_by_its_name(tmp_path, opened, cut):
    data = mat_file(True, X=np.moveaxis(IMAGES, 0, -1), y=LABELS)
    _, findings = opened(write({"x.mat": data[:cut]}, tmp_path / "data"))
    assert str(findings.problems[0]).startswith(f"{tmp_path}/data/x.mat: MATLAB file must be whole, got ")
