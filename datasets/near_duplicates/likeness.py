"""Compares two images by their pixels: whether one is the other, moved, scaled or brightened a little.

The first is put over the second by three steps of Lucas and Kanade ("An Iterative Image Registration Technique", 1981):
what a small move and scaling change is nearly a sum of the gradients, and linear regression says how much of each. What
is compared then is the detail, each image less its blurred self, because images of one kind (shirts on one table, cars
from the front) share their large shapes. The likeness is the share of the detail's variance in one image that the
other explains, all colours together: the square of a correlation, and so the same whichever is darker.

How large it must be follows from how much there is to compare. Details two pixels apart have little to do with each
other, so each square of 2x2 pixels counts as one, or as less where most of the detail is elsewhere. The correlation of
different images that show things of one outline varies around that of `CHANCE`, on Fisher's scale by one over the root
of that number (R. A. Fisher, "On the 'probable error' of a coefficient of correlation deduced from a small sample",
1921). What can come about so is no near duplicate. At 16 px, and where a small thing stands on an empty ground, that
asks for more than `LIKE`; images of 32 px and more that are full of detail have enough.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from sweep.datasets.near_duplicates.looks import resized
from sweep.datasets.pixels import Pixels
from sweep.datasets.pixels.read import THREADS
from sweep.datasets.pixels.threads import in_threads

LIKE = 0.7  # the likeness from which on images are near duplicates, however large; README has what was measured
CHANCE = 0.4  # the usual likeness of different images that the hash takes for alike, at 16 px as at 64
SURE = 3.5  # spreads above it: at 16 px 91 such pairs have 2.7 at most, at 32 px 73 near duplicates 4.8 at least
PIECE = 2  # px, the side of a square whose detail counts as one
MOST_SIDE = 64  # px at which images are compared
STEPS = 3
BLUR = 1 / 32  # of the side: the blur under which the images are put over each other
DETAIL = 2 / 32  # of the side: what is larger is no detail
FARTHEST = 1 / 12  # of the side, that an edge is moved
EDGE = 1 / 16  # of the side, on each side, that is not compared: what was cropped is not there
BLOCK = 16  # pairs a task, which stay near in the processor's memory


def likenesses(
    parts: Sequence[Pixels], rows: Sequence[np.ndarray], first: np.ndarray, second: np.ndarray, mirrored: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns (P,) float32 likenesses of pairs, from 0 to 1, and (P,) bool, whether they are near duplicates.

    Args:
      parts, rows: the images, numbered as in `near_duplicates.find`.
      first, second: (P,) numbers of images.
      mirrored: (P,) bool: the second one is mirrored before they are compared.
    """
    begins = np.cumsum([0, *map(len, rows)])
    side = min(MOST_SIDE, *(min(part.shape[2:]) for part in parts))

    def image(number: int) -> np.ndarray:
        part = int(np.searchsorted(begins, number, side="right")) - 1
        return resized(parts[part][int(rows[part][number - begins[part]])], side)

    def compare(pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        ones = np.stack([image(number) for number in first[pairs].tolist()]).astype(np.float32)
        others = np.stack([image(number) for number in second[pairs].tolist()]).astype(np.float32)
        flipped = mirrored[pairs]
        others[flipped] = others[flipped, :, ::-1]
        return likeness(ones, others)

    blocks = (np.arange(start, min(start + BLOCK, len(first))) for start in range(0, len(first), BLOCK))
    found = list(in_threads(compare, blocks, THREADS, 2 * THREADS))
    like = np.concatenate([np.empty(0, np.float32), *(each for each, _ in found)])
    return like, np.concatenate([np.empty(0, bool), *(each for _, each in found)])


def likeness(ones: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the same of (P, side, side, 3) float32 images."""
    over = _put_over(ones, others)
    side = ones.shape[1]
    edge = max(1, round(EDGE * side))
    inner = np.s_[:, edge : side - edge, edge : side - edge]
    details = [(each - _blurred(each, DETAIL * side))[inner] for each in (over, others)]
    one, other = (each - each.mean(axis=(1, 2, 3), keepdims=True) for each in details)
    together = (one * other).sum(axis=(1, 2, 3))
    alone = np.maximum((one * one).sum(axis=(1, 2, 3)) * (other * other).sum(axis=(1, 2, 3)), 1e-6)
    like = np.where(together > 0, together**2 / alone, 0)
    return like.astype(np.float32), like >= np.maximum(LIKE, _beyond_chance(alone / _of_pieces(one, other)))


def _beyond_chance(pieces: np.ndarray) -> np.ndarray:
    """Returns the likeness from which on it is no chance, where there are so many pieces of detail to compare."""
    return np.tanh(np.arctanh(CHANCE**0.5) + SURE / np.sqrt(pieces)) ** 2


def _of_pieces(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Returns (P,) sums over the pieces of the square of what each can add to a product of (P, h, w, 3) details.

    The square of what all can add, divided by it, is how many pieces there are, if all of them were equal.
    """
    of_pixels = np.sqrt((one * one).sum(axis=3) * (other * other).sum(axis=3))
    rest = -of_pixels.shape[1] % PIECE, -of_pixels.shape[2] % PIECE
    padded = np.pad(of_pixels, ((0, 0), (0, rest[0]), (0, rest[1])))
    rows, columns = padded.shape[1] // PIECE, padded.shape[2] // PIECE
    squares = padded.reshape(len(one), rows, PIECE, columns, PIECE).sum(axis=(2, 4))
    return np.maximum((squares**2).sum(axis=(1, 2)), 1e-12)


def _put_over(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Returns the first images moved and scaled, each direction for itself, so that they lie over the second ones."""
    count, side = ones.shape[:2]
    place = ((np.arange(side) - (side - 1) / 2) / side).astype(np.float32)
    moves = np.zeros((count, 4), np.float32)  # px to the right and down; px that the width and the height grow by
    over, aims = ones, _blurred(others, BLUR * side)
    for _ in range(STEPS):
        blurred = _blurred(over, BLUR * side)
        down, right = np.gradient(blurred, axis=(1, 2))
        scaled = right * place[None, None, :, None], down * place[None, :, None, None]
        effects = np.stack([blurred, right, down, *scaled], axis=1).reshape(count, 5, -1)
        shares = _regressed(effects, aims.reshape(count, -1))
        # The first is how much brighter: it multiplies what the moves change.
        brighter = np.where(shares[:, :1] > 0.05, shares[:, :1], 1)
        moves = np.clip(moves + shares[:, 1:] / brighter, -FARTHEST * side, FARTHEST * side)
        over = np.stack([_moved(one, move) for one, move in zip(ones, moves, strict=True)])
    return over


def _regressed(effects: np.ndarray, aims: np.ndarray) -> np.ndarray:
    """Returns (P, 5): how much of each of (P, 5, n) effects, together with a constant, makes (P, n) aims."""
    effects = effects - effects.mean(axis=2, keepdims=True)
    aims = aims - aims.mean(axis=1, keepdims=True)
    products = (effects @ effects.transpose(0, 2, 1)).astype(np.float64)
    sizes = np.sqrt(np.einsum("pii->pi", products)) + 1e-9
    products = products / sizes[:, :, None] / sizes[:, None] + 1e-4 * np.eye(5)  # where one effect is another: both
    wanted = (effects @ aims[:, :, None]).astype(np.float64) / sizes[:, :, None]
    return (np.linalg.solve(products, wanted)[:, :, 0] / sizes).astype(np.float32)


def _moved(image: np.ndarray, move: np.ndarray) -> np.ndarray:
    side = len(image)
    middle, (right, down, wider, taller) = (side - 1) / 2, move.tolist()
    where = np.array(
        [
            [1 + wider / side, 0, right - wider / side * middle],
            [0, 1 + taller / side, down - taller / side * middle],
        ],
        np.float32,
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, where, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _blurred(images: np.ndarray, sigma: float) -> np.ndarray:
    return np.stack([cv2.GaussianBlur(each, (0, 0), sigma, borderType=cv2.BORDER_REFLECT) for each in images])
