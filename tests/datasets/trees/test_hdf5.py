"""An HDF5 file is a folder of arrays; nothing outside of it is opened."""

import io

import numpy as np
import pytest

from sweep.datasets.trees import hdf5
from tests.trees import write

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 4, 4, 3), dtype=np.uint8)


def test_without_its_package_the_line_that_installs_it_is_said(tmp_path, opened, monkeypatch):
    monkeypatch.setattr(hdf5, "find_spec", lambda name: None)
    tree, findings = opened(write({"x.h5": b"\x89HDF\r\n\x1a\n"}, tmp_path / "data"))
    (problem,) = tree.unread()
    assert str(problem) == (
        f"{tmp_path}/data/x.h5: HDF5 files are read by an extra package, which is not installed, got an HDF5 file; "
        "install it: pip install h5py==3.16.0"
    )
    assert findings.problems == []


@pytest.fixture
def h5py():
    return pytest.importorskip("h5py")


@pytest.mark.parametrize("options", [{}, {"chunks": (5, 4, 4, 3), "compression": "gzip"}], ids=["plain", "packed"])
def test_its_images_and_labels_are_read(tmp_path, opened, h5py, options):
    (tmp_path / "data").mkdir()
    with h5py.File(tmp_path / "data/x.h5", "w") as file:
        file.create_dataset("train/x", data=IMAGES, **options)
        file["train/y"] = np.arange(12)
        file["names"] = ["cat", "élan"]
    tree, findings = opened(tmp_path / "data")
    arrays = {array.name: array for array in tree.arrays}
    assert list(arrays["x.h5/train/x"].images) == list(tree.files)
    assert np.array_equal(np.load(io.BytesIO(tree.read("x.h5/train/x/07")), allow_pickle=False), IMAGES[7])
    assert arrays["x.h5/train/y"].values()[:3] == ["0", "1", "2"]
    assert arrays["x.h5/names"].values() == ["cat", "élan"]
    assert findings.problems == []


def test_links_and_values_in_other_files_are_not_followed(tmp_path, opened, h5py):
    (tmp_path / "data").mkdir()
    (tmp_path / "raw").write_bytes(bytes(3 * 16))
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = IMAGES
    layout = h5py.VirtualLayout(shape=IMAGES.shape, dtype="u1")
    layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "x", IMAGES.shape)
    with h5py.File(tmp_path / "data/x.h5", "w") as file:
        file["link"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "x")
        file["soft"] = h5py.SoftLink("/group")
        file.create_dataset("raw", (3, 4, 4), "u1", external=[(str(tmp_path / "raw"), 0, 48)])
        file.create_virtual_dataset("virtual", layout)
        group = file.create_group("group")
        group["loop"] = group
        file["group/x"] = IMAGES
    tree, _ = opened(tmp_path / "data")
    assert {array.name: array.why_not[:33] for array in tree.arrays} == {
        "x.h5/raw": "its values lie in other files; co",
        "x.h5/virtual": "its values lie in other files; co",
        "x.h5/group/x": "",
    }


def test_a_broken_file_is_a_problem_by_its_name(tmp_path, opened, h5py):
    _, findings = opened(write({"x.h5": b"\x89HDF\r\n\x1a\n" + bytes(100)}, tmp_path / "data"))
    (problem,) = findings.problems
    assert str(problem).startswith(f"{tmp_path}/data/x.h5: HDF5 file must be whole, got ")
