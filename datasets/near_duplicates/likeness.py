"""Compares two images by their pixels: whether one is the other, moved, scaled or brightened a little.

First, the first image is laid over the second in three steps of Lucas and Kanade ("An Iterative Image Registration
Technique", 1981): the change by a small move and scaling is nearly a sum of the gradients, and linear regression gives
the amount of each. Then the details are compared, which are each image less its blurred self, because images of one
kind (shirts on one table, cars from the front) share their large shapes. The likeness is the share of the detail's
variance in one image that the other explains, over all colours: the square of a correlation, so that it does not
matter which image is darker.

How large the likeness must be depends on how much detail there is to compare. Details two pixels apart have little to
do with each other, so each square of 2x2 pixels counts as one piece, or as less if most of the detail is elsewhere. The
correlation of different images that show things of one outline varies around the root of `CHANCE`; on Fisher's scale,
its standard deviation is one over the root of the number of pieces (R. A. Fisher, "On the 'probable error' of a
coefficient of correlation deduced from a small sample", 1921). A pair whose likeness can arise in this way does not
count as a near duplicate. At 16 px, or for a small thing on an empty ground, more than `LIKE` is therefore required;
images of 32 px and more that are full of detail have enough pieces.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from sweep.datasets.near_duplicates.hashes import resized
from sweep.datasets.pixels import Pixels
from sweep.datasets.pixels.read import THREADS
from sweep.datasets.pixels.threads import in_threads

LIKE = 0.7  # the least likeness of near duplicates, whatever their size; docs/data.md has the measurements
CHANCE = 0.4  # the usual likeness of different images with similar hashes, at 16 px as well as at 64
# deviations above CHANCE; 91 different pairs had at most 2.7 (16 px), 73 near duplicates at least 4.8 (32 px)
SURE = 3.5
PIECE = 2  # px, the side of a square whose detail counts as one piece
MOST_SIDE = 64  # px, the largest size at which images are compared
STEPS = 3
BLUR = 1 / 32  # share of the side: the blur with which images are laid over each other
DETAIL = 2 / 32  # share of the side: anything larger is not detail
FARTHEST = 1 / 12  # share of the side by which an edge may be moved
EDGE = 1 / 16  # share of the side that is not compared at each edge, because it may have been cropped
BLOCK = 16  # pairs per task; so few fit in the cache of the processor


def likenesses(
    parts: Sequence[Pixels], rows: Sequence[np.ndarray], first: np.ndarray, second: np.ndarray, mirrored: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the likenesses of pairs, (P,) float32 from 0 to 1, and whether they are near duplicates, (P,) bool.

    Args:
      parts: see `near_duplicates.find`.
      rows: see `near_duplicates.find`.
      first: (P,) numbers of images, as `find` counts them.
      second: (P,) numbers of images.
      mirrored: (P,) bool: the second image is mirrored before they are compared.
    """
    begins = np.cumsum([0, *map(len, rows)])
    side = min(MOST_SIDE, *(min(part.shape[2:]) for part in parts))

    def image(number: int) -> np.ndarray:
        part = int(np.searchsorted(begins, number, side="right")) - 1
        return resized(parts[part][int(rows[part][number - begins[part]])], side)

    def compare(pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        ones = np.stack([image(number) for number in first[pairs].tolist()]).astype(np.float32)
        others = np.stack([image(number) for number in second[pairs].tolist()]).astype(np.float32)
        is_mirrored = mirrored[pairs]
        others[is_mirrored] = others[is_mirrored, :, ::-1]
        return likeness(ones, others)

    blocks = (np.arange(start, min(start + BLOCK, len(first))) for start in range(0, len(first), BLOCK))
    results = list(in_threads(compare, blocks, THREADS, 2 * THREADS))
    values = np.concatenate([np.empty(0, np.float32), *(each for each, _ in results)])
    return values, np.concatenate([np.empty(0, bool), *(each for _, each in results)])


def likeness(ones: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the likenesses of (P, side, side, 3) float32 images, and whether they are near duplicates."""
    aligned = _align(ones, others)
    side = ones.shape[1]
    edge = max(1, round(EDGE * side))
    inner = np.s_[:, edge : side - edge, edge : side - edge]
    details = [(each - _blur(each, DETAIL * side))[inner] for each in (aligned, others)]
    one, other = (each - each.mean(axis=(1, 2, 3), keepdims=True) for each in details)
    covariance = (one * other).sum(axis=(1, 2, 3))
    variances = np.maximum((one * one).sum(axis=(1, 2, 3)) * (other * other).sum(axis=(1, 2, 3)), 1e-6)
    values = np.where(covariance > 0, covariance**2 / variances, 0)
    return values.astype(np.float32), values >= np.maximum(
        LIKE, _beyond_chance(variances / _squared_bounds(one, other))
    )


def _beyond_chance(pieces: np.ndarray) -> np.ndarray:
    """Returns the least likeness that is not due to chance, for this many pieces of detail."""
    return np.tanh(np.arctanh(CHANCE**0.5) + SURE / np.sqrt(pieces)) ** 2


def _squared_bounds(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Returns (P,), the sum of the squares of the pieces' bounds for each pair.

    The bound of a piece is the largest amount that it can add to the product of the two details. The square of the
    amount that all pieces together can add, divided by this sum, is the effective number of pieces: the number that
    there would be if all were equal.

    Args:
      one: (P, h, w, 3) details.
      other: (P, h, w, 3) details.
    """
    bounds = np.sqrt((one * one).sum(axis=3) * (other * other).sum(axis=3))
    rest = -bounds.shape[1] % PIECE, -bounds.shape[2] % PIECE
    padded = np.pad(bounds, ((0, 0), (0, rest[0]), (0, rest[1])))
    rows, columns = padded.shape[1] // PIECE, padded.shape[2] // PIECE
    squares = padded.reshape(len(one), rows, PIECE, columns, PIECE).sum(axis=(2, 4))
    return np.maximum((squares**2).sum(axis=(1, 2)), 1e-12)


def _align(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Returns the first images moved and scaled, separately in each direction, so that they lie over the second."""
    count, side = ones.shape[:2]
    place = ((np.arange(side) - (side - 1) / 2) / side).astype(np.float32)
    moves = np.zeros((count, 4), np.float32)  # px to the right and down, and px by which width and height grow
    aligned, aims = ones, _blur(others, BLUR * side)
    for _ in range(STEPS):
        blurred = _blur(aligned, BLUR * side)
        down, right = np.gradient(blurred, axis=(1, 2))
        scaled = right * place[None, None, :, None], down * place[None, :, None, None]
        effects = np.stack([blurred, right, down, *scaled], axis=1).reshape(count, 5, -1)
        shares = _regress(effects, aims.reshape(count, -1))
        # The first share is the change of brightness, which also multiplies the effects of the moves.
        brightness = np.where(shares[:, :1] > 0.05, shares[:, :1], 1)
        moves = np.clip(moves + shares[:, 1:] / brightness, -FARTHEST * side, FARTHEST * side)
        aligned = np.stack([_move(one, move) for one, move in zip(ones, moves, strict=True)])
    return aligned


def _regress(effects: np.ndarray, aims: np.ndarray) -> np.ndarray:
    """Returns (P, 5) amounts of (P, 5, n) effects which, together with a constant, come nearest to (P, n) aims."""
    effects = effects - effects.mean(axis=2, keepdims=True)
    aims = aims - aims.mean(axis=1, keepdims=True)
    products = (effects @ effects.transpose(0, 2, 1)).astype(np.float64)
    sizes = np.sqrt(np.einsum("pii->pi", products)) + 1e-9
    products = products / sizes[:, :, None] / sizes[:, None] + 1e-4 * np.eye(5)  # two equal effects share the amount
    projections = (effects @ aims[:, :, None]).astype(np.float64) / sizes[:, :, None]
    return (np.linalg.solve(products, projections)[:, :, 0] / sizes).astype(np.float32)


def _move(image: np.ndarray, move: np.ndarray) -> np.ndarray:
    """Returns an image moved and scaled about its centre."""
    side = len(image)
    middle, (right, down, wider, taller) = (side - 1) / 2, move.tolist()
    matrix = np.array(
        [
            [1 + wider / side, 0, right - wider / side * middle],
            [0, 1 + taller / side, down - taller / side * middle],
        ],
        np.float32,
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, matrix, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _blur(images: np.ndarray, sigma: float) -> np.ndarray:
    """Returns the images with a Gaussian blur."""
    return np.stack([cv2.GaussianBlur(each, (0, 0), sigma, borderType=cv2.BORDER_REFLECT) for each in images])
