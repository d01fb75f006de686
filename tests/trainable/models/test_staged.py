import pytest
import timm
import torch
import torchvision

from sweep.trainable.models.calls import judged
from sweep.trainable.models.stage_maps import features
from sweep.trainable.models.staged import classifier_names, stages

IMAGES = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
NETS = {
    "resnet10t": lambda: timm.create_model("resnet10t"),
    "lite0": lambda: timm.create_model("tf_efficientnet_lite0"),
    "vit": lambda: timm.create_model("vit_tiny_patch16_224", img_size=64),
    "distilled": lambda: timm.create_model("deit_tiny_distilled_patch16_224", img_size=64),
    "mobilenet_v3_small": lambda: torchvision.models.mobilenet_v3_small(),
    "squeezenet1_1": lambda: torchvision.models.squeezenet1_1(),
    "vit_b_32": lambda: torchvision.models.vit_b_32(image_size=64),
    "swin_t": lambda: torchvision.models.swin_t(),
}


@pytest.fixture(params=NETS, scope="module")
def net(request):
    torch.manual_seed(0)
    return NETS[request.param]().eval()


def test_each_parameter_belongs_to_one_stage_and_the_classifiers_come_last(net):
    parameters = stages(net, IMAGES).parameters

    names = [name for stage in parameters for name in stage]
    assert sorted(names) == sorted(name for name, _ in net.named_parameters())
    assert parameters[-1]
    assert all(name.startswith(tuple(classifier_names(net))) for name in parameters[-1])
    assert all(parameters[:2])


def test_maps_become_no_larger_and_the_last_is_one_pixel(net):
    maps = features(net, IMAGES)

    assert len(maps) == stages(net, IMAGES).count
    sides = [one.shape[2] for one in maps]
    assert sides == sorted(sides, reverse=True)
    assert all(one.shape[0] == 2 and one.shape[2] == one.shape[3] for one in maps)
    assert sides[-1] == 1


def test_some_maps_are_those_of_all_maps(net):
    with judged(net):
        every = features(net, IMAGES)

        for numbers in ([2], [1, 3], [2, len(every)], [len(every)]):
            for one, number in zip(features(net, IMAGES, numbers), numbers, strict=True):
                assert torch.equal(one, every[number - 1])


# A distilled net has two classifiers, that of a SqueezeNet is given a map.
@pytest.mark.parametrize("name", sorted(NETS.keys() - {"distilled", "squeezenet1_1"}))
def test_the_last_features_are_what_the_classifier_is_given(name):
    net = NETS[name]()
    (classifier,) = classifier_names(net)

    with judged(net):
        last = features(net, IMAGES)[-1].flatten(1)
        torch.testing.assert_close(net.get_submodule(classifier)(last), net(IMAGES))


def test_the_stages_do_not_depend_on_the_size_of_the_images():
    for build in (torchvision.models.resnet18, torchvision.models.densenet121, torchvision.models.vgg11):
        assert stages(build(), torch.zeros(1, 3, 32, 32)) == stages(build(), torch.zeros(1, 3, 256, 256))


def test_the_same_net_of_two_libraries_has_the_same_maps():
    ours = timm.create_model("resnet18", num_classes=1000)
    theirs = torchvision.models.resnet18()
    theirs.load_state_dict(ours.state_dict())

    with judged(ours), judged(theirs):
        pairs = zip(features(ours, IMAGES), features(theirs, IMAGES), strict=True)
        assert all(torch.equal(one, other) for one, other in pairs)


def test_of_a_net_that_lists_each_block_a_stage_is_a_quarter_of_them():
    net = timm.create_model("vit_tiny_patch16_224", img_size=64)

    assert stages(net, IMAGES).ends == ("blocks.2", "blocks.5", "blocks.8", "blocks.11")


def test_finding_stages_leaves_the_net_as_it_was():
    net = torchvision.models.resnet18().train()
    net.layer1.eval()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}

    stages(net, IMAGES)

    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert (net.layer1.training, net.layer2.training) == (False, True)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())
