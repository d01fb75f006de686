"""What every loss promises; each variant passes, and whoever adds one finds here what it must keep."""

import subprocess
import sys

import pytest
import torch

from sweep.trainable.config import check_field
from sweep.trainable.losses import LOSSES

SHARES = torch.tensor([0.7, 0.25, 0.05])
LOGITS = 3 * torch.randn((200, 3), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
class TestEveryLoss:
    def test_it_is_known_by_its_name_and_a_config_may_have_it(self, loss):
        assert LOSSES[loss.name] is loss
        check_field("loss", loss.name)

    def test_there_is_a_cost_for_each_image_and_class_and_none_is_below_zero(self, loss):
        costs = loss.costs(LOGITS, SHARES.log())

        assert costs.shape == LOGITS.shape
        assert costs.min() >= 0

    def test_a_class_costs_less_the_larger_its_logit_is(self, loss):
        raised = LOGITS + torch.tensor([0.0, 1.0, 0.0])

        before, after = (loss.costs(logits, SHARES.log()) for logits in (LOGITS, raised))

        assert (after[:, 1] < before[:, 1]).all()
        assert (after[:, [0, 2]] >= before[:, [0, 2]]).float().mean() > 0.9  # focal loss is not steady where it is easy

    def test_logits_that_differ_by_the_same_from_each_other_cost_the_same(self, loss):
        torch.testing.assert_close(
            loss.costs(LOGITS + 5, SHARES.log()), loss.costs(LOGITS, SHARES.log()), atol=1e-4, rtol=0
        )

    @pytest.mark.parametrize("size", [0.0, 1e4], ids=["all alike", "as sure as can be"])
    def test_costs_and_their_gradients_are_finite(self, loss, size):
        logits = (size * torch.tensor([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0]])).requires_grad_()

        costs = loss.costs(logits, SHARES.log())
        costs.sum().backward()

        assert costs.isfinite().all()
        assert logits.grad.isfinite().all()

    def test_its_gradient_is_that_of_its_differences(self, loss):
        logits = LOGITS[:4].double().requires_grad_()

        assert torch.autograd.gradcheck(lambda its: loss.costs(its, SHARES.double().log()), logits)

    def test_classes_of_one_size_are_answered_as_they_are(self, loss):
        """The cheapest answer for images that are of a class by these probabilities has its classes in their order."""
        truth = torch.tensor([0.5, 0.3, 0.2])
        logits = torch.zeros(1, 3, requires_grad=True)
        optimizer = torch.optim.LBFGS([logits], max_iter=100)

        def mean():
            optimizer.zero_grad()
            cost = (truth * loss.costs(logits, torch.full((3,), 1 / 3).log())).sum()
            cost.backward()
            return cost

        optimizer.step(mean)

        assert logits.argsort(descending=True).tolist() == [[0, 1, 2]]


def test_names_of_losses_are_read_without_torch():
    code = "import sys, trainable.config; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
