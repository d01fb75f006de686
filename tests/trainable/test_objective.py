"""The mean loss that a trial minimises, where classes have weights, labels are soft, and batches come in parts."""

import pytest
import torch
from torch.nn import functional as F

from sweep.trainable.class_weights import WEIGHTS
from sweep.trainable.config import TrialConfig
from sweep.trainable.losses import LOSSES
from sweep.trainable.objective import Objective
from sweep.trainable.sampling import Sampling

COUNTS = torch.tensor([80, 15, 5])
LABELS = torch.repeat_interleave(torch.arange(3), COUNTS)
LOGITS = 2 * torch.randn((100, 3), generator=torch.Generator().manual_seed(0))
SOFT = torch.rand((100, 3), generator=torch.Generator().manual_seed(1)).softmax(1)
CHOICES = [
    dict(class_weights=weights, loss=loss, label_smoothing=smoothing)
    for weights in WEIGHTS
    for loss in LOSSES
    for smoothing in (0.0, 0.2)
]


def objective(balanced=None, **values):
    return Objective(TrialConfig(arch="mlp", width=1.0, **values), Sampling(LABELS, 3, balanced), torch.device("cpu"))


def mean_of(made, targets, logits=LOGITS):
    return made(logits, targets).item()


def test_without_a_choice_it_is_cross_entropy_to_the_last_bit():
    for targets in (LABELS, SOFT):
        found = objective(label_smoothing=0.1)(LOGITS, targets)

        assert torch.equal(found, F.cross_entropy(LOGITS, targets, label_smoothing=0.1))


@pytest.mark.parametrize("values", CHOICES, ids=lambda values: "-".join(map(str, values.values())))
class TestEveryChoice:
    def test_a_label_as_a_class_is_one_as_its_share(self, values):
        made = objective(**values)

        assert mean_of(made, F.one_hot(LABELS, 3).float()) == pytest.approx(mean_of(made, LABELS), rel=1e-5)

    def test_a_mixed_label_costs_what_its_parts_cost(self, values):
        made, other = objective(**values), LABELS.flip(0)
        mixed = 0.3 * F.one_hot(LABELS, 3) + 0.7 * F.one_hot(other, 3)

        parts = 0.3 * mean_of(made, LABELS) + 0.7 * mean_of(made, other)
        assert mean_of(made, mixed) == pytest.approx(parts, rel=1e-5)

    def test_parts_of_a_batch_add_up_to_the_batch(self, values):
        made = objective(**values)
        parts = zip(LOGITS.split([30, 50, 20]), LABELS.split([30, 50, 20]), strict=True)

        added = sum(mean_of(made, labels, logits) * len(labels) for logits, labels in parts) / len(LABELS)

        assert added == pytest.approx(mean_of(made, LABELS), rel=1e-5)
        assert made(LOGITS, LABELS, reduction="sum").item() == pytest.approx(100 * added, rel=1e-5)

    def test_the_mean_weight_of_an_epoch_is_1(self, values):
        for balanced in (None, 0.4, 1.0):
            made = objective(balanced, **values)

            assert float((made.weights.double() * made.sampling.shares).sum()) == pytest.approx(1)
            assert float(made.of_each_image_once().weights[LABELS].mean()) == pytest.approx(1)


def test_inverse_weights_make_every_class_count_the_same():
    made = objective(class_weights="inverse")

    assert (made.weights * COUNTS).tolist() == pytest.approx([100 / 3] * 3)
    costs = -LOGITS.log_softmax(1).gather(1, LABELS[:, None])[:, 0]
    means = torch.stack([costs[label == LABELS].mean() for label in range(3)])
    assert mean_of(made, LABELS) == pytest.approx(means.mean().item(), rel=1e-5)


def test_what_sampling_has_made_equal_is_not_weighted_again():
    for weights in WEIGHTS:
        assert objective(1.0, class_weights=weights).weights.tolist() == pytest.approx([1, 1, 1])


def test_a_solver_of_all_images_minimises_what_sampling_shows_in_the_mean():
    made = objective(0.7, class_weights="sqrt_inverse", label_smoothing=0.1)
    epochs = [made.sampling.order(torch.Generator().manual_seed(seed)) for seed in range(3000)]

    sampled = sum(mean_of(made, LABELS[order], LOGITS[order]) for order in epochs) / len(epochs)

    assert mean_of(made.of_each_image_once(), LABELS) == pytest.approx(sampled, rel=2e-3)


@pytest.mark.parametrize("values", [dict(), dict(class_weights="inverse"), dict(balanced=0.5)], ids=str)
def test_an_adjusted_loss_is_lowest_where_the_answers_are_those_for_classes_of_one_size(values):
    """One image of each class at the same place: what tells the classes apart there is their size alone."""
    made = objective(**values, loss="logit_adjusted").of_each_image_once()
    logits = torch.zeros(1, 3, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=50)

    def mean():
        optimizer.zero_grad()
        loss = made(logits.expand(100, 3), LABELS)
        loss.backward()
        return loss

    optimizer.step(mean)

    assert logits.softmax(1)[0].tolist() == pytest.approx([1 / 3] * 3, abs=1e-3)


@pytest.mark.parametrize("values", CHOICES, ids=lambda values: "-".join(map(str, values.values())))
def test_a_class_without_training_images_leaves_the_loss_finite(values):
    made = Objective(TrialConfig(arch="mlp", width=1.0, **values), Sampling(LABELS, 5), torch.device("cpu"))

    assert made(torch.randn(100, 5), LABELS).isfinite()


@pytest.mark.parametrize("values", CHOICES, ids=lambda values: "-".join(map(str, values.values())))
def test_no_number_of_a_step_is_waited_for(values):
    """Tensors without numbers raise where one is asked for, as the capture of a CUDA graph does."""
    made = objective(0.5, **values)
    made.weights, made.log_shares = made.weights.to("meta"), made.log_shares.to("meta")
    logits = torch.empty((8, 3), device="meta", requires_grad=True)

    made(logits, torch.empty(8, dtype=torch.int64, device="meta")).backward()
    made(logits, torch.empty((8, 3), device="meta")).backward()

    assert logits.grad.shape == (8, 3)
