"""Describes images by a few numbers each: their lowest frequencies, and 64 bits."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from sweep.datasets.pixels import Pixels
from sweep.datasets.pixels.read import THREADS
from sweep.datasets.pixels.threads import in_threads

SIDE = 32  # px of the reduced picture whose frequencies are computed
LOW = 8  # frequencies in each direction; the first one, which is the mean brightness, is not used
BLOCK = 64  # images per task
LEAST_CONTRAST = 4.0  # grey levels, standard deviation of brightness; an image with less is of one colour
MOST_KURTOSIS = 30.0  # of brightness; above it, only about 1/30 of the image differs from one colour
VIRTUAL = 64  # uniformly grey images that are added for the medians, which keeps these stable if there are few images

_STEPS = np.pi * (2 * np.arange(SIDE) + 1) / (2 * SIDE)
COSINES = np.cos(np.arange(LOW)[:, None] * _STEPS).astype(np.float32)
COSINES *= np.sqrt(2 / SIDE, dtype=np.float32)
# the signs by which mirroring multiplies the frequencies
MIRRORED = np.tile((-1.0) ** np.arange(LOW), LOW)[1:].astype(np.float32)


@dataclass(frozen=True)
class Hashes:
    """The looks of N images, in numbers.

    Attributes:
      shapes: (N, 63) float32: the difference of each frequency from its median over the images, divided by its spread.
      bits: (N,) uint64: which frequencies are above their median.
      mirrored_shapes: (N, 63) float32: the shapes of the mirror images.
      mirrored_bits: (N,) uint64: the bits of the mirror images.
      blank: (N,) bool: the image shows too little to be compared.
    """

    shapes: np.ndarray
    bits: np.ndarray
    mirrored_shapes: np.ndarray
    mirrored_bits: np.ndarray
    blank: np.ndarray


def looks_of(parts: Sequence[Pixels], rows: Sequence[np.ndarray]) -> Hashes:
    """Returns the looks of these rows of each part, one part after the other; reads `BLOCK` images at a time."""
    blocks = (
        (part, part_rows[start : start + BLOCK])
        for part, part_rows in zip(parts, rows, strict=True)
        for start in range(0, len(part_rows), BLOCK)
    )
    descriptions = list(in_threads(_describe, blocks, THREADS, 2 * THREADS))
    frequencies = np.concatenate([np.empty((0, LOW * LOW - 1), np.float32), *(each[0] for each in descriptions)])
    blank = np.concatenate([np.empty(0, bool), *(each[1] for each in descriptions)])
    median, spread = _median_and_spread(frequencies[~blank])
    shapes, mirrored_shapes = (frequencies - median) / spread, (frequencies * MIRRORED - median) / spread
    return Hashes(shapes, _bits(shapes), mirrored_shapes, _bits(mirrored_shapes), blank)


def _median_and_spread(frequencies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the median of each frequency over the images, and its spread.

    Images that are alike count once. Otherwise, if most are frames of one scene, only their noise would decide the
    bits.
    """
    distinct = frequencies[np.unique(_bits(frequencies), return_index=True)[1]]
    samples = np.concatenate([distinct, np.zeros((VIRTUAL, LOW * LOW - 1), np.float32)])
    return np.median(samples, axis=0), samples.std(axis=0) + np.float32(1e-3)


def _describe(block: tuple[Pixels, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Returns the (n, 63) frequencies of some images, and (n,) whether each is blank."""
    pixels, rows = block
    grey = np.stack([_grey(image) for image in _images(pixels, rows)])
    frequencies = (COSINES @ grey @ COSINES.T).reshape(len(rows), -1)[:, 1:]
    centred = grey - grey.mean(axis=(1, 2), keepdims=True)
    variance, fourth_moment = (centred**2).mean(axis=(1, 2)), (centred**4).mean(axis=(1, 2))
    return frequencies, (variance < LEAST_CONTRAST**2) | (fourth_moment > MOST_KURTOSIS * variance**2)


def _images(pixels: Pixels, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Returns the images of these rows, one by one."""
    return (pixels[row] for row in rows.tolist())


def _grey(image: np.ndarray) -> np.ndarray:
    """Returns the brightness of (3, H, W) pixels as (SIDE, SIDE) float32."""
    small = resized(image, SIDE)
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)


def resized(image: np.ndarray, side: int) -> np.ndarray:
    """Returns (3, H, W) uint8 pixels as (side, side, 3) uint8."""
    channels_last = np.ascontiguousarray(image.transpose(1, 2, 0))
    is_smaller = min(channels_last.shape[:2]) >= side
    return cv2.resize(channels_last, (side, side), interpolation=cv2.INTER_AREA if is_smaller else cv2.INTER_LINEAR)


def _bits(values: np.ndarray) -> np.ndarray:
    """Returns (N,) uint64: which of (N, 63) numbers are above 0."""
    return np.packbits(np.pad(values > 0, ((0, 0), (0, 1))), axis=1).view(np.uint64)[:, 0]
