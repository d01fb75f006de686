"""A transform of your own in a pipeline, and a space that searches how often it is applied; it runs image by image.

python -m search.run --space examples/transform.py:suggest
"""

from typing import Any

import albumentations as A
import numpy as np

from sweep.datasets.augment.pipeline import to_text
from sweep.trainable.config import TrialConfig


class Speckle(A.ImageOnlyTransform):
    """Blackens single pixels of an image.

    Args:
      share: the share of the pixels that become black, in [0, 1].
    """

    def __init__(self, share: float = 0.1, p: float = 0.5) -> None:
        super().__init__(p=p)
        self.share = share

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        return {"is_black": self.random_generator.random(params["shape"][:2]) < self.share}

    def apply(self, img: np.ndarray, is_black: np.ndarray, **params: Any) -> np.ndarray:
        return np.where(is_black[..., None], 0, img).astype(np.uint8)


def suggest(trial: Any) -> TrialConfig:
    speckle = Speckle(share=0.1, p=trial.suggest_float("speckle", 0, 0.5))
    return TrialConfig(
        arch="small_vgg",
        width=1.0,
        lr=trial.suggest_float("lr", 3e-3, 0.3, log=True),
        pipeline=to_text(A.Compose([A.HorizontalFlip(p=0.5), speckle])),
    )
