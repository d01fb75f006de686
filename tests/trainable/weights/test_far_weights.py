"""A machine that does not see the driver's weights gets a copy, once, and goes on with one that was broken off."""

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sweep.datasets import far_files
from sweep.datasets.far_files import block_of
from sweep.trainable import weights
from sweep.trainable.options import CHOICES
from sweep.trainable.weights import cache
from sweep.trainable.weights.prepare import prepare
from tests.trainable.weights import nets

NET = nets.TIMM
BLOCK = 50_000


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """The weights as the driver has them, in its cache folder, and their tensors; this process is another machine's."""
    monkeypatch.setattr(far_files, "BLOCK_BYTES", BLOCK)
    monkeypatch.setattr(far_files, "AT_ONCE", 1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "driver"))
    monkeypatch.setattr(CHOICES, "place", nets.saved(NET, tmp_path / "test_resnet.pth"))
    table = prepare([NET], lambda line: None)
    tensors = {name: tensor.clone() for name, tensor in weights.state_dict(NET).items()}
    path = cache.path_of(NET, table[NET].sha256)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "node"))
    return path, replace(table[NET], path=Path("far")), tensors


def asked_for(driver, most=None):
    """Lets this process ask the driver's machine; a list of the blocks that it has asked for."""
    path, each, _ = driver
    asked = []

    def block(number):
        if most is not None and len(asked) >= most:
            raise RuntimeError("the driver's node is gone")
        asked.append(number)
        return block_of(path, number)

    weights.remember({NET: each}, lambda each: (path.stat().st_size, block))
    return asked


def assert_there(driver):
    path, each, tensors = driver
    found = weights.state_dict(NET)
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())
    assert cache.path_of(NET, each.sha256).read_bytes() == path.read_bytes()


def blocks(driver):
    return list(range(-(-driver[0].stat().st_size // BLOCK)))


def test_it_is_copied_once(driver):
    asked = asked_for(driver)

    assert_there(driver)
    assert_there(driver)

    assert asked == blocks(driver)
    assert len(asked) > 3


def test_a_copy_that_was_broken_off_goes_on(driver):
    asked_for(driver, most=2)
    with pytest.raises(RuntimeError):
        weights.state_dict(NET)
    asked = asked_for(driver)

    assert_there(driver)

    assert asked == blocks(driver)[2:]


def test_a_copy_that_is_damaged_comes_again_whole(driver):
    asked_for(driver)
    weights.state_dict(NET)
    copy = cache.path_of(NET, driver[1].sha256)
    damaged = bytearray(copy.read_bytes())
    damaged[-10] ^= 1
    copy.write_bytes(damaged)
    asked = asked_for(driver)

    assert_there(driver)

    assert asked == blocks(driver)


def test_what_another_process_has_copied_meanwhile_is_used(driver):
    asked_for(driver)
    weights.state_dict(NET)
    asked = asked_for(driver)

    weights.keep(driver[1])

    assert asked == []
    assert_there(driver)


def test_copies_that_nobody_goes_on_with_are_removed(driver):
    asked_for(driver, most=1)
    with pytest.raises(RuntimeError):
        weights.state_dict(NET)
    (left,) = cache.folder().glob("*.copying")
    other = left.with_name("other.copying")
    left.rename(other)
    os.utime(other, (time.time() - 2 * cache.STALE_SECONDS,) * 2)
    asked_for(driver)

    assert_there(driver)

    assert list(cache.folder().glob("*.copying")) == []
