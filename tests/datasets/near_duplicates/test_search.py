"""The search finds the pairs that a look at all pairs finds."""

import numpy as np
import pytest

from sweep.datasets.near_duplicates import search


def near_hashes(count: int, flipped: int) -> np.ndarray:
    """Random hashes, and as many again that differ from them in so many bits."""
    rng = np.random.default_rng(count)
    bits = rng.integers(0, 1 << 63, count, dtype=np.uint64)
    flips = [sum(1 << int(bit) for bit in rng.choice(64, flipped, replace=False)) for _ in range(count)]
    return np.concatenate([bits, bits ^ np.array(flips, np.uint64)])


@pytest.mark.parametrize("flipped", [0, 1, 5, 11, 12])
@pytest.mark.parametrize("at_once", [100, 1 << 20])
def test_it_finds_each_pair_of_at_most_11_other_bits_once(flipped, at_once, monkeypatch):
    monkeypatch.setattr(search, "AT_ONCE", at_once)
    bits = near_hashes(200, flipped)
    first, second = np.triu_indices(len(bits), 1)
    is_near = np.bitwise_count(bits[first] ^ bits[second]) <= 11

    found = [pair for some in search._near(bits, bits) for pair in zip(*(each.tolist() for each in some), strict=True)]

    assert sorted(found) == sorted(zip(first[is_near].tolist(), second[is_near].tolist(), strict=True))
    assert len(found) == (200 if flipped <= 11 else 0)


def test_no_hash_has_no_pair():
    none = np.empty(0, np.uint64)

    assert not list(search._near(none, none))
