"""Averaging over views, by nets whose answer is known."""

import albumentations as A
import numpy as np
import pytest
import torch
from torch import nn

from sweep.analysis.estimates.views import Answering, by_batch, log_probabilities, views
from sweep.datasets.augment.pipeline import to_text
from sweep.trainable.config import TrialConfig

FLIPS = TrialConfig(arch="mlp", width=0.1, horizontal_flip=0.5, vertical_flip=0.1)


class Corner(nn.Module):
    """Logits that are the red of the top left pixel, and nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Parameter(torch.ones(()))

    def forward(self, images):
        red = self.one * images[:, 0, 0, 0].float()
        return torch.stack([red, torch.zeros_like(red)], dim=1)


@pytest.mark.parametrize(
    ("config", "size", "count"),
    [
        (TrialConfig(arch="mlp", width=0.1, rotate=0.5), (16, 16), 1),
        (TrialConfig(arch="mlp", width=0.1, horizontal_flip=0.5), (16, 16), 2),
        (TrialConfig(arch="mlp", width=0.1, horizontal_flip=0.5, vertical_flip=0.5, transpose=0.5), (16, 16), 8),
        (TrialConfig(arch="mlp", width=0.1, horizontal_flip=0.5, transpose=0.5), (16, 12), 2),
        (TrialConfig(arch="mlp", width=0.1, pipeline=to_text(A.Compose([A.Transpose(p=0.5)]))), (16, 16), 2),
    ],
)
def test_the_views_are_those_of_the_flips_and_transposes_trained_with(config, size, count):
    found = views(config, size)
    assert len(found) == count
    assert next(iter(found)) == ()
    assert sum(found.values()) == pytest.approx(1)


def test_a_flip_that_training_always_made_leaves_the_flipped_image_alone():
    config = TrialConfig(arch="mlp", width=0.1, horizontal_flip=1.0)
    assert views(config, (16, 16)) == {("HorizontalFlip",): 1}


def test_the_probabilities_are_averaged_over_all_four_corners_as_often_as_training_saw_them():
    images = np.zeros((1, 3, 16, 16), np.uint8)
    corners = [1, 2, 3, 4]
    images[0, 0, [0, 0, -1, -1], [0, -1, 0, -1]] = corners
    logs = log_probabilities(FLIPS, Corner(), images, is_averaged=True)
    shares = [0.5 * 0.9, 0.5 * 0.9, 0.5 * 0.1, 0.5 * 0.1]
    expected = sum(share / (1 + np.exp(-red)) for share, red in zip(shares, corners, strict=True))
    np.testing.assert_allclose(np.exp(logs), [[expected, 1 - expected]], rtol=1e-5)


def test_without_averaging_the_images_are_seen_as_they_are():
    images = np.zeros((2, 3, 16, 16), np.uint8)
    images[:, 0, 0, 0] = [0, 5]
    logs = log_probabilities(FLIPS, Corner(), images, is_averaged=False)
    np.testing.assert_allclose(np.exp(logs)[:, 0], [0.5, 1 / (1 + np.exp(-5))], rtol=1e-5)


def test_a_head_that_learnt_of_mirrored_images_sees_both_alike():
    head = {"arch": "logistic_head", "backbone": "timm/tf_efficientnet_lite0", "epochs": 1, "penalty": 0.1}
    assert views(TrialConfig(**head, flip=True), (16, 16)) == {(): 0.5, ("HorizontalFlip",): 0.5}
    assert views(TrialConfig(**head, flip=False), (16, 16)) == {(): 1}


def test_no_more_than_a_batch_of_images_is_asked_for_at_a_time_by_all_nets(monkeypatch):
    monkeypatch.setattr("sweep.analysis.estimates.views.predict_batch", lambda size: 2)
    images = np.zeros((5, 3, 16, 16), np.uint8)
    images[:, 0, 0, 0] = range(5)
    nets = [Answering(FLIPS, Corner(), False), Answering(FLIPS, Corner(), True)]

    batches = list(by_batch(nets, images))

    assert [[len(logs) for logs in found] for found in batches] == [[2, 2], [2, 2], [1, 1]]
    red = np.concatenate([plain for plain, _ in batches])[:, 0]
    np.testing.assert_allclose(np.exp(red), 1 / (1 + np.exp(-np.arange(5))), rtol=1e-5)
