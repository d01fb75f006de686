import filecmp

import numpy as np

from sweep.datasets.demo import draw, write_demo
from sweep.datasets.load import load


def test_the_demo_is_a_data_set_in_the_real_layout(tmp_path):
    write_demo(tmp_path / "demo")
    data = load(tmp_path / "demo")
    assert data.test is not None
    assert [len(split.ids) for split in (data.train, data.valid, data.test)] == [1500, 600, 300]
    assert data.train.images.shape[1:] == (3, 16, 16)
    assert data.classes == tuple("0123456")
    assert data.submission.ids == data.test.ids
    assert data.notes == ()


def test_the_same_seed_writes_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        write_demo(tmp_path / name, seed=3)
    names = [path.relative_to(tmp_path / "one").as_posix() for path in (tmp_path / "one").rglob("*.*")]
    same, different, missing = filecmp.cmpfiles(tmp_path / "one", tmp_path / "two", names, shallow=False)
    assert (len(same), different, missing) == (2404, [], [])


def test_every_class_is_drawn_in_every_orientation():
    shapes = np.repeat(np.arange(7), 500)
    images = draw(shapes, np.random.default_rng(0)).astype(float)
    contrast = np.abs(images - np.median(images, axis=(1, 2), keepdims=True)).mean(axis=-1)
    for shape in range(7):
        mean = contrast[shapes == shape].mean(axis=0)
        for turned in (mean[::-1], mean[:, ::-1], mean.T):
            assert np.abs(mean - turned).max() < 0.25 * mean.max()
