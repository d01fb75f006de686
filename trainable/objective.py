"""The objective of a trial: the mean loss of its training images, in which classes may have different weights."""

import copy

import torch
from torch import Tensor
from torch.nn import functional as F

from sweep.trainable import class_weights, losses
from sweep.trainable.config import TrialConfig
from sweep.trainable.sampling import Sampling


class Objective:
    """The loss that a config names, with its label smoothing and its class weights.

    An image of class c counts `weights[c]` times. The weights are computed from how many images of each class an epoch
    has, after sampling: classes that balanced sampling has already evened out are not evened out a second time. Their
    mean over the images of an epoch is 1, so the scale of the loss, and with it a good learning rate, stays the same.

    Attributes:
      weights: (classes,) float32, how much an image of each class counts.
      log_shares: (classes,) logarithms of the shares that the classes have in training, with sampling and weights.
      is_plain: whether the loss is cross entropy without class weights, which torch computes in one call.
    """

    def __init__(self, config: TrialConfig, sampling: Sampling, device: torch.device) -> None:
        """Computes the class weights for a trial.

        Args:
          sampling: draws the training images that the trial learns from.
          device: where the logits are.
        """
        self.label_smoothing, self.sampling = config.label_smoothing, sampling
        self.loss = losses.LOSSES[config.loss or losses.DEFAULT]
        weights = class_weights.WEIGHTS[config.class_weights or class_weights.DEFAULT](
            (sampling.images * sampling.shares).clamp(min=1)
        )
        self._weights = weights / (weights * sampling.shares).sum()
        self.weights = self._weights.float().to(device)
        loss_shares = self._weights * sampling.shares
        # The clamp is for classes without training images: the logarithm of their share would not be finite.
        self.log_shares = loss_shares.clamp(min=1 / sampling.images).log().float().to(device)
        self.is_plain = not config.loss and not config.class_weights

    def of_each_image_once(self) -> "Objective":
        """Returns the same objective for a solver that takes every image exactly once.

        Balanced sampling, which shows some images more often than others, becomes a weight of each image.
        """
        objective = copy.copy(self)
        objective.weights = (self._weights * self.sampling.times).to(self.weights)
        objective.is_plain = self.is_plain and not self.sampling.balanced
        return objective

    def __call__(self, logits: Tensor, targets: Tensor, reduction: str = "mean") -> Tensor:
        """Returns the mean or the sum of the images' losses, without waiting for the device.

        Args:
          logits: (N, classes) float32.
          targets: (N,) class indices, or (N, classes) the share of each class in an image's label.
          reduction: `mean` or `sum`; a mean divides by N, whatever the weights, so means of parts of a batch add up to
            that of the batch.
        """
        if self.is_plain:  # faster: torch does it in one kernel
            return F.cross_entropy(logits, targets, label_smoothing=self.label_smoothing, reduction=reduction)
        costs = self.loss.costs(logits, self.log_shares)
        if targets.ndim == 1:
            weights = self.weights[targets]
            image_losses = weights * costs.gather(1, targets[:, None])[:, 0]
        else:
            weighted_targets = targets * self.weights
            weights, image_losses = weighted_targets.sum(1), (weighted_targets * costs).sum(1)
        if self.label_smoothing:
            image_losses = torch.lerp(image_losses, weights * costs.mean(1), self.label_smoothing)
        return image_losses.sum() if reduction == "sum" else image_losses.mean()
