"""Features on the disk: whole chunks, each computed once."""

import multiprocessing
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from sweep.trainable.features import store as stores
from sweep.trainable.features.store import FeaturesError, FeatureStore

ABOUT = {"backbone": "timm/some_net", "input_size": 32}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(stores, "CHUNK_ROWS", 4)
    return tmp_path / "sweep" / "features"


def opened(count: int = 10, **about: object) -> FeatureStore:
    store = FeatureStore(ABOUT | about, count)
    store.open(2)
    return store


def rows(number: int, count: int = 4) -> dict[str, torch.Tensor]:
    return {"mean": torch.full((count, 2), float(number))}


def test_a_chunk_that_was_written_is_read_and_is_not_missing():
    store = opened()

    store.write(1, rows(1))

    assert store.missing() == [0, 2]
    assert torch.equal(store.read(1, {"mean"})["mean"], rows(1)["mean"].half())


def test_the_last_chunk_has_the_rest():
    assert [len(opened().rows(number)) for number in opened().chunks] == [4, 4, 2]


@pytest.mark.parametrize("other", [{"backbone": "timm/other_net"}, {"input_size": 64}, {"weights": "f" * 64}])
def test_features_by_another_net_size_or_weights_are_others(other):
    opened().write(0, rows(0))

    assert opened(**other).missing() == [0, 1, 2]


def test_a_chunk_that_is_claimed_is_nobody_elses():
    mine, others = opened(), opened()

    with mine.claim(0) as is_mine, others.claim(0) as is_theirs:
        assert (is_mine, is_theirs) == (True, False)

    with others.claim(0) as is_theirs:
        assert is_theirs


def test_a_chunk_that_somebody_has_written_since_is_not_claimed():
    store = opened()
    store.write(0, rows(0))

    with store.claim(0) as is_mine:
        assert not is_mine
    assert not list(store.folder.glob("*.claim"))


@pytest.mark.parametrize("damage", [lambda content: content[:-3], lambda content: content[:-3] + b"???", lambda _: b""])
def test_a_damaged_chunk_is_missing(damage):
    store = opened()
    store.write(0, rows(0))
    store.path(0).write_bytes(damage(store.path(0).read_bytes()))

    assert store.read(0, {"mean"}) == {}
    assert store.missing() == [0, 1, 2]


def test_an_error_leaves_no_part_of_a_chunk(monkeypatch):
    def full(*_: object) -> None:
        raise OSError("no space left on device")

    store = opened()
    monkeypatch.setattr(stores, "save_file", full)

    with pytest.raises(OSError, match="no space"):
        store.write(0, rows(0))
    assert not [path for path in store.folder.iterdir() if path.suffix in (".partial", ".safetensors")]


def test_features_that_would_be_too_large_are_refused_by_name(monkeypatch):
    monkeypatch.setattr(stores, "MOST_BYTES", 39)

    with pytest.raises(FeaturesError, match="10 images by timm/some_net at 32 px must take at most"):
        opened()


def test_features_for_which_there_is_no_room_are_refused_before_any_is_computed(monkeypatch):
    monkeypatch.setattr(stores, "SPARE_BYTES", 1 << 60)

    with pytest.raises(FeaturesError, match="XDG_CACHE_HOME"):
        opened()


def test_what_was_used_least_lately_goes_where_all_is_too_much_and_nothing_that_is_in_use(monkeypatch, cache):
    import os

    folders = []
    for size in (1, 2, 3):
        store = opened(input_size=size)
        for number in store.chunks:
            store.write(number, rows(number, len(store.rows(number))))
        os.utime(store.folder, (size, size))
        folders.append(store.folder)
    monkeypatch.setattr(stores, "KEPT_BYTES", 0)

    stores.tidy(cache)

    assert [folder.exists() for folder in folders] == [False, False, True]  # `store` holds the last one


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="only Linux tells of each page who has it")
def test_two_workers_that_read_the_same_features_share_one_copy_of_them(cache, monkeypatch):
    monkeypatch.setattr(stores, "CHUNK_ROWS", 64)
    store = opened(128)
    parts = [{"mean": torch.rand(64, 4096)} for _ in store.chunks]
    for number, tensors in enumerate(parts):
        store.write(number, tensors)
    size = sum(store.path(number).stat().st_size for number in store.chunks)

    first, second = (multiprocessing.get_context("fork").Pipe() for _ in range(2))
    workers = [
        multiprocessing.get_context("fork").Process(target=holds_features, args=(store, end))
        for _, end in (first, second)
    ]
    for worker in workers:
        worker.start()
    for here, _ in (first, second):
        assert here.recv() == "read"
    held = []
    for here, _ in (first, second):
        here.send("tell")
        held.append(here.recv())
    for (here, _), worker in zip((first, second), workers, strict=True):
        here.send("end")
        worker.join()

    for kilobytes in held:
        assert kilobytes["Rss"] == pytest.approx(size / 1024, rel=0.05)
        assert kilobytes["Pss"] == pytest.approx(size / 2048, rel=0.05)
        assert kilobytes["Private_Clean"] + kilobytes["Private_Dirty"] == 0


def holds_features(store: FeatureStore, end: Any) -> None:
    """Reads all features, and tells, while others do the same, how much of them is in this process's memory."""
    held = [store.read(number, {"mean"}) for number in store.chunks]
    end.send("read")
    end.recv()
    end.send(pages_of(store.folder))
    end.recv()
    assert held


def pages_of(folder: Path) -> Counter[str]:
    """Returns what /proc says of the memory that maps files in a folder, in kilobytes."""
    found, is_ours = Counter[str](), False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        name, _, rest = line.partition(":")
        if " " in name:  # the first line of a mapping
            is_ours = str(folder) in line
        elif is_ours and rest.endswith("kB"):
            found[name] += int(rest.split()[0])
    return found
