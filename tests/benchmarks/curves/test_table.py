"""A table of learning curves comes back as it was written, and a damaged one is refused."""

import numpy as np
import pytest

from benchmarks.curves.table import About, Curve, Table, read, write
from sweep.storage.files import DamagedError

IMAGES = 11  # no multiple of 8, so that a row does not end with a byte


def about(**changes):
    values = dict(name="some", data="some.zip", fingerprint="ab" * 32, train_images=60, valid_images=IMAGES, classes=3)
    values |= dict(image_size=(16, 16), space=("default", 2), fixed={"pretrained": False}, backbones=(), seed=0, rows=3)
    values |= dict(ranges={"lr_multiple": ["{}"]}, conditions=("one machine",))
    return About(**values | changes)


def curve(draw, epochs, recorded, repeat=0):
    rng = np.random.default_rng([draw, repeat])
    return Curve(
        draw=draw,
        repeat=repeat,
        params={"arch": "mlp", "lr_multiple": 0.1 + draw},
        config={"arch": "mlp", "epochs": epochs},
        right=rng.random((recorded, IMAGES)) < 0.6,
        losses=rng.random(recorded, dtype=np.float32),
        seconds=rng.random(min(recorded + 1, epochs), dtype=np.float32),
    )


def plain(table):
    return table.about, [{name: np.asarray(value).tolist() for name, value in vars(c).items()} for c in table.curves]


def test_a_table_comes_back_as_it_was_written(tmp_path):
    table = Table(about(), (curve(0, 4, 4), curve(1, 1, 1), curve(1, 1, 1, repeat=1)))

    write(tmp_path / "some.safetensors", table)
    found = read(tmp_path / "some.safetensors")

    assert plain(found) == plain(table)
    assert found.curves[0].accuracies == pytest.approx([row.mean() for row in table.curves[0].right])


def test_a_curve_that_diverged_has_the_seconds_of_the_epoch_that_did(tmp_path):
    write(tmp_path / "some.safetensors", Table(about(), (curve(0, 4, 2), curve(1, 5, 0))))

    curves = read(tmp_path / "some.safetensors").curves

    assert [each.has_diverged for each in curves] == [True, True]
    assert [(len(each.accuracies), len(each.seconds)) for each in curves] == [(2, 3), (0, 1)]


def test_an_empty_table_can_be_written_and_read(tmp_path):
    write(tmp_path / "some.safetensors", Table(about(), ()))

    assert plain(read(tmp_path / "some.safetensors")) == (about(), [])


def test_equal_tables_are_equal_bytes(tmp_path):
    for name in ("first", "second"):
        write(tmp_path / name, Table(about(), (curve(0, 3, 3),)))

    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


@pytest.mark.parametrize("at", [200, -1])
def test_a_table_with_a_changed_byte_is_refused_by_name(tmp_path, at):
    path = tmp_path / "some.safetensors"
    write(path, Table(about(), (curve(0, 3, 3),)))
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)

    with pytest.raises(DamagedError, match=r"some\.safetensors"):
        read(path)


def test_another_file_of_tensors_is_no_table(tmp_path):
    from sweep.storage.tensors import save_tensors

    save_tensors(tmp_path / "other", {}, {})

    with pytest.raises(DamagedError, match="no table of learning curves"):
        read(tmp_path / "other")
