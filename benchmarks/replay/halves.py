"""The two halves of a table's images, of which one chooses and the other judges, and the curves' values on them."""

from functools import cached_property

import numpy as np

from benchmarks.curves.table import Curve, Table


class Splits:
    """The values of a table's curves on halves of its images.

    Attributes:
      table: the table.
      curves: the first training of each draw; the further ones differ only in their seeds.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self.curves: list[Curve] = [curve for curve in table.curves if curve.repeat == 0]

    def values(self, seed: int) -> list[np.ndarray]:
        """Returns (2, epochs) values of each curve: the share of right answers in two random halves of the images."""
        images = self.table.about.valid_images
        is_first = np.zeros(images, np.float32)
        is_first[np.random.default_rng([seed, images]).permutation(images)[: images // 2]] = 1
        masks = np.stack([is_first, 1 - is_first])
        counts = masks @ self._right.T  # counts are whole numbers, so that equal shares compare as equal
        return np.split(counts / masks.sum(axis=1, keepdims=True, dtype=float), self._starts, axis=1)

    @cached_property
    def _right(self) -> np.ndarray:
        return np.concatenate([curve.right for curve in self.curves]).astype(np.float32)

    @cached_property
    def _starts(self) -> np.ndarray:
        starts: np.ndarray = np.cumsum([len(curve.right) for curve in self.curves])[:-1]
        return starts


def best_and_blind(values: list[np.ndarray], half: int) -> tuple[float, float]:
    """Returns the highest and the median final value on the half that scores.

    Args:
      values: (2, epochs) of each curve; a curve without an epoch is ignored.
      half: the other half, by which a search chooses.
    """
    finals = [each[1 - half, -1] for each in values if each.size]
    return float(max(finals)), float(np.median(finals))
