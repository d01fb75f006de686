import pytest
import torch
from torch import nn

from sweep.trainable.models.calls import judged
from sweep.trainable.models.split import split
from sweep.trainable.models.staged import Stages, stages
from tests.trainable.models.test_staged import IMAGES, NETS


@pytest.mark.parametrize("name", NETS)
def test_the_two_parts_compute_what_the_net_does(name):
    torch.manual_seed(0)
    net = NETS[name]().eval()

    for number in range(stages(net, IMAGES).count):
        front, rest = split(net, number, IMAGES)
        with judged(net):
            for images in (IMAGES, IMAGES[:1]):
                assert torch.equal(rest(front(images)), net(images))


def test_the_gradients_of_the_rest_are_those_of_the_net():
    torch.manual_seed(0)
    net = NETS["resnet10t"]().train()
    front, rest = split(net, 2, IMAGES)
    behind = [net.get_parameter(name) for group in stages(net, IMAGES).parameters[2:] for name in group]
    net.conv1.eval(), net.bn1.eval(), net.layer1.eval()

    whole = torch.autograd.grad(net(IMAGES).sum(), behind)
    with torch.no_grad():
        kept = front(IMAGES)
    parts = torch.autograd.grad(rest(kept).sum(), behind)

    assert all(torch.allclose(one, other, atol=1e-5) for one, other in zip(whole, parts, strict=True))


def test_the_net_is_as_it_was_after_its_rest_has_failed():
    net = NETS["resnet10t"]().eval()
    _, rest = split(net, 2, IMAGES)

    with pytest.raises(RuntimeError):
        rest(torch.zeros(2, 7, 16, 16))

    assert not any("forward" in vars(module) for module in net.modules())


class WithShortcut(nn.Module):
    """What comes after the first layer needs the images as well."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, 1, 1), nn.Linear(4, 2)
        self.shortcut = nn.Conv2d(3, 4, 1, 2)

    def forward(self, images):
        shortcut = self.shortcut(images)
        return self.last((self.second(self.first(images)) + shortcut).mean((2, 3)))


class InTwoBranches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.both, self.last = Both(), nn.Linear(8, 2)

    def forward(self, images):
        return self.last(torch.cat(self.both(images), dim=1).mean((2, 3)))


class Both(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(3, 4, 3, 2, 1)

    def forward(self, images):
        return self.one(images), self.other(images)


@pytest.mark.parametrize(("kind", "end"), [(WithShortcut, "first"), (InTwoBranches, "both")])
def test_a_net_in_which_more_than_a_map_is_passed_on_is_not_split(kind, end):
    net = kind().eval()
    net.found_stages = Stages((end,), (), ())

    assert split(net, 1, IMAGES) is None
