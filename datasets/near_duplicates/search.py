"""Finds the pairs of images whose hashes differ in few bits, without comparing all pairs.

Multi-index hashing (Norouzi, Punjani and Fleet, "Fast Search in Hamming Space with Multi-Index Hashing", 2012): the 64
bits are cut into 4 bands of 16. Two hashes that differ in at most 11 bits differ in at most 2 bits of some band. So for
each band the images are sorted into 65,536 boxes, and each image is compared with those in 137 boxes: its own, and
those that differ from it in one or two bits.
"""

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from sweep.datasets.near_duplicates.hashes import Hashes

BANDS, BAND_BITS, BAND_DISTANCE = 4, 16, 2
MOST_BITS = BANDS * (BAND_DISTANCE + 1) - 1  # bits in which near duplicates may differ: 11
LEAST_ALIKE = 0.8  # least similarity of shapes; of the copies that were made for a test, 0.5 % were below 0.87
# added to the squares of two shapes, which sum to about 126: images that are very near the median all count as alike
NOISE = 6.0
NEAREST = 4  # how many images of each part an image is compared with by pixels
AT_ONCE = 1 << 20  # pairs of hashes that are compared at once; bounds the memory
HELD = 1 << 22  # pairs that are collected before those that are not the nearest are dropped


def candidates(looks: Hashes, part_of: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the pairs whose pixels are to be compared: the first images, the second, and whether one is mirrored.

    Args:
      looks: the looks of N images.
      part_of: (N,) the number of the part of the data set to which each image belongs.
    """
    numbers = np.flatnonzero(~looks.blank)
    pairs: list[tuple[np.ndarray, ...]] = []
    for is_mirrored in (False, True):
        bits, shapes = (looks.mirrored_bits, looks.mirrored_shapes) if is_mirrored else (looks.bits, looks.shapes)
        for first, second in _near(looks.bits[numbers], bits[numbers]):
            first, second = numbers[first], numbers[second]
            similarity = _similarity(looks.shapes[first], shapes[second])
            is_near = similarity >= LEAST_ALIKE
            pairs.append(
                (first[is_near], second[is_near], similarity[is_near], np.full(int(is_near.sum()), is_mirrored))
            )
            if sum(len(each[0]) for each in pairs) > HELD:
                pairs = [_keep_nearest(pairs, part_of)]
    if not pairs:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, bool)
    first, second, _, mirrored = _keep_nearest(pairs, part_of)
    return first, second, mirrored


def _similarity(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Returns (P,) how similar (P, 63) shapes are: 1 if they are equal, about 0 if they have nothing in common."""
    distance = ((ones - others) ** 2).sum(axis=1)
    return 1 - distance / ((ones**2).sum(axis=1) + (others**2).sum(axis=1) + NOISE)


def _near(bits: np.ndarray, others: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields pairs, first < second, in which the bits of the first are near the other bits of the second.

    Args:
      bits: (N,) hashes.
      others: (N,) hashes of the same images, or of their mirror images.
    """
    flips = [0] + [
        sum(1 << bit for bit in positions) for k in (1, 2) for positions in combinations(range(BAND_BITS), k)
    ]
    bands, other_bands = (
        each[:, None] >> np.arange(0, 64, BAND_BITS, dtype=np.uint64) & 0xFFFF for each in (bits, others)
    )
    for band in range(BANDS):
        order = np.argsort(other_bands[:, band], kind="stable")
        begins = np.searchsorted(other_bands[order, band], np.arange((1 << BAND_BITS) + 1))
        for flip in flips:
            boxes = bands[:, band].astype(np.int64) ^ flip
            starts, counts = begins[boxes], begins[boxes + 1] - begins[boxes]
            ends = np.cumsum(counts)
            cuts = np.searchsorted(ends, np.arange(AT_ONCE, ends[-1] + AT_ONCE if len(ends) else 0, AT_ONCE))
            for low, high in zip([0, *cuts + 1], [*cuts + 1, len(bits)], strict=True):
                first = np.repeat(np.arange(low, min(high, len(bits))), counts[low:high])
                if not len(first):
                    continue
                offsets = np.arange(len(first)) - np.repeat(
                    ends[low:high] - counts[low:high] - ends[low] + counts[low], counts[low:high]
                )
                second = order[np.repeat(starts[low:high], counts[low:high]) + offsets]
                is_near = (first < second) & (np.bitwise_count(bits[first] ^ others[second]) <= MOST_BITS)
                first, second = first[is_near], second[is_near]
                # A pair that an earlier band also finds has been yielded there.
                differences = bands[first, :band] ^ other_bands[second, :band]
                is_new = (np.bitwise_count(differences) > BAND_DISTANCE).all(axis=1)
                yield first[is_new], second[is_new]


def _keep_nearest(pairs: list[tuple[np.ndarray, ...]], part_of: np.ndarray) -> tuple[np.ndarray, ...]:
    """Returns the pairs in which one image is among the `NEAREST` of its part to the other."""
    first, second, similarity, mirrored = map(np.concatenate, zip(*pairs, strict=True))
    ones, others = np.concatenate([first, second]), np.concatenate([second, first])
    # one number for each image and each part of the images it is paired with
    parts = ones * (int(part_of.max(initial=0)) + 1) + part_of[others]
    order = np.lexsort((others, -np.tile(similarity, 2), parts))
    begins = np.flatnonzero(np.diff(parts[order], prepend=-1))
    rank = np.arange(len(order)) - np.repeat(begins, np.diff([*begins, len(order)]))
    is_kept = np.zeros(len(first), bool)
    is_kept[order[rank < NEAREST] % max(len(first), 1)] = True
    return first[is_kept], second[is_kept], similarity[is_kept], mirrored[is_kept]
