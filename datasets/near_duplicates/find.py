"""Runs the three steps in turn, and returns the pairs of near duplicates among the images of a data set."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sweep.datasets.near_duplicates.hashes import looks_of
from sweep.datasets.near_duplicates.likeness import likenesses
from sweep.datasets.near_duplicates.search import candidates
from sweep.datasets.pixels import Pixels


@dataclass(frozen=True)
class Pairs:
    """Pairs of near duplicates among N images.

    Attributes:
      first: (P,) int64 numbers of images.
      second: (P,) int64 numbers of images, each greater than that in `first`.
      likeness: (P,) float32, from `likeness.LIKE` to 1.
      mirrored: (P,) bool: one is the mirror image of the other.
      blank: (N,) bool: the image shows so little that it was not compared.
    """

    first: np.ndarray
    second: np.ndarray
    likeness: np.ndarray
    mirrored: np.ndarray
    blank: np.ndarray


def find(parts: Sequence[Pixels], rows: Sequence[np.ndarray]) -> Pairs:
    """Finds near duplicates within and between parts of a data set, such as its splits.

    Each image is compared by pixels with at most `search.NEAREST` images of each part: those that look most like it.
    Each of a thousand frames of one scene is therefore paired with only a few others, but `connected` joins them all.

    Args:
      parts: images, all of one size.
      rows: which rows of each part are compared. The images are numbered in this order, from part to part.
    """
    looks = looks_of(parts, rows)
    part_of = np.repeat(np.arange(len(parts)), [len(part_rows) for part_rows in rows])
    first, second, mirrored = candidates(looks, part_of)
    likeness, is_near = likenesses(parts, rows, first, second, mirrored)
    # Two images of something symmetric are alike both as they are and mirrored; the pair is returned once.
    order = np.lexsort((mirrored, second, first))
    order = order[is_near[order]]
    is_new = np.ones(len(order), bool)
    is_new[1:] = (np.diff(first[order]) != 0) | (np.diff(second[order]) != 0)
    indices = order[is_new]
    return Pairs(first[indices], second[indices], likeness[indices], mirrored[indices], looks.blank)


def connected(count: int, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns (count,) numbers, equal for things that are joined by pairs, directly or through others.

    Args:
      count: number of things.
      first: (P,) the first thing of each pair.
      second: (P,) the second thing of each pair.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)
