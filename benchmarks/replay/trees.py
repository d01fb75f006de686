"""Random forests from scikit-learn that predict one row in a third of a millisecond instead of thirty."""

from collections.abc import Sequence

import numpy as np
from sklearn.ensemble import RandomForestRegressor

TREES = 100
FEWEST_IN_LEAF = 2
FEATURES = 0.5  # the share of the features among which a split is sought


class Forests:
    """A forest for each target.

    Attributes:
      out_of_bag: (rows, targets) the predictions for each row by the trees that have not seen it.
    """

    def __init__(self, rows: np.ndarray, targets: np.ndarray) -> None:
        """Fits the forests.

        Args:
          rows: (rows, features) float32.
          targets: (rows, targets).
        """
        forests = [_fit(rows, target) for target in targets.T]
        self.out_of_bag: np.ndarray = np.column_stack([forest.oob_prediction_ for forest in forests])
        self._count = len(forests)
        trees = [estimator.tree_ for forest in forests for estimator in forest.estimators_]
        starts = np.cumsum([0, *(tree.node_count for tree in trees)])
        self._roots = starts[:-1]
        self._depth = max(tree.max_depth for tree in trees)
        self._features = _join([np.maximum(tree.feature, 0) for tree in trees])  # a leaf has no feature
        # A leaf is its own child, so that all trees can be walked together for as many steps as the deepest one has.
        self._lefts = _join([_child(tree.children_left) + start for tree, start in zip(trees, starts, strict=False)])
        self._rights = _join([_child(tree.children_right) + start for tree, start in zip(trees, starts, strict=False)])
        self._thresholds = _join([tree.threshold for tree in trees])
        self._values = _join([tree.value[:, 0, 0] for tree in trees])

    def predict(self, row: np.ndarray) -> np.ndarray:
        """Returns (targets,) for one row of (features,) float32."""
        nodes = self._roots
        for _ in range(self._depth):
            goes_left = row[self._features[nodes]] <= self._thresholds[nodes]
            nodes = np.where(goes_left, self._lefts[nodes], self._rights[nodes])
        means: np.ndarray = self._values[nodes].reshape(self._count, TREES).mean(axis=1)
        return means


def _fit(rows: np.ndarray, target: np.ndarray) -> RandomForestRegressor:
    forest = RandomForestRegressor(
        TREES, min_samples_leaf=FEWEST_IN_LEAF, max_features=FEATURES, oob_score=True, random_state=0
    )
    return forest.fit(rows, target)


def _child(children: np.ndarray) -> np.ndarray:
    return np.where(children < 0, np.arange(len(children)), children)


def _join(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts)
