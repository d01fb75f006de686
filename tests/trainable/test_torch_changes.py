"""What of torch's own classes is changed does the same as before, faster."""

import pytest
import torch
from torch import nn

from sweep.trainable.config import TrialConfig
from sweep.trainable.models.net import build
from sweep.trainable.torch_changes import Conv2d, Dropout


@pytest.mark.parametrize("kernel", [1, 3, 7])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 5), (3, 2), (4, 4), (9, 9)], ids=str)
def test_a_convolution_without_the_taps_that_see_padding_alone_is_the_same(size, stride, kernel):
    plain = nn.Conv2d(4, 6, kernel, stride, kernel // 2, groups=2).double()
    short = Conv2d(4, 6, kernel, stride, kernel // 2, groups=2).double()
    short.load_state_dict(plain.state_dict())
    results = []
    for layer in (plain, short):
        images = torch.arange(8.0 * size[0] * size[1]).double().view(2, 4, *size).sin().requires_grad_()
        out = layer(images)
        out.backward(out.detach().cos())
        results.append((out, images.grad, layer.weight.grad, layer.bias.grad))

    for expected, got in zip(*results, strict=True):
        torch.testing.assert_close(got, expected)


@pytest.mark.parametrize(
    ("arch", "shape", "kind"),
    [
        ("resnet18", {"small_stem": False, "pretrained": False}, Conv2d),
        ("cnn", {"width": 1.0, "depth": 2, "head": 8}, Conv2d),
        ("mobilenet_v3_small", {"pretrained": False}, nn.Conv2d),
    ],
)
def test_our_own_nets_alone_have_such_convolutions(arch, shape, kind):
    net = build(TrialConfig(arch=arch, **shape), 7, (16, 16))

    assert {type(module) for module in net.modules() if isinstance(module, nn.Conv2d)} == {kind}


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_dropout_keeps_its_share_scales_it_up_and_lets_gradients_through_there_alone(memory_format):
    torch.manual_seed(0)
    numbers = torch.rand(100, 5, 7, 9).add(1).contiguous(memory_format=memory_format).requires_grad_()
    layer = Dropout(0.3)

    out = layer(numbers)
    out.sum().backward()

    kept = out != 0
    share = 179 / 256  # of 0.7
    assert kept.float().mean().item() == pytest.approx(share, abs=4 * (share * (1 - share) / numbers.numel()) ** 0.5)
    assert kept.float().mean(0).std().item() == pytest.approx((share * (1 - share) / 100) ** 0.5, rel=0.2)
    torch.testing.assert_close(out[kept], numbers[kept] / share)
    torch.testing.assert_close(numbers.grad, kept / share)
    assert layer.eval()(numbers) is numbers


def test_dropout_is_a_function_of_the_seed():
    outs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        outs.append(Dropout(0.5)(torch.ones(999)))

    assert torch.equal(outs[0], outs[1])
    assert not torch.equal(outs[0], outs[2])
