"""What is chosen where the command leaves it to the data."""

from dataclasses import replace

import pytest

from sweep.datasets.headers import Headers
from sweep.search.spaces.proposal import propose
from sweep.storage.errors import ConfigError
from sweep.storage.sweep_file import DataOptions, Settings

SETTINGS = Settings("data", 50, 30, 0, "accuracy", None, {}, "auto", "tpe", "halving", "")
NETS = ["timm/a", "torchvision/b"]


def proposed(train=3_000, side=500, at_hand=NETS, has_gpu=False, **changed):
    return propose(replace(SETTINGS, **changed), lambda: at_hand, lambda: Headers(train, side), has_gpu)


@pytest.mark.parametrize(
    ("train", "side", "has_gpu", "name"),
    [
        (8_000, 16, False, "tiny"),
        (8_000, 64, True, "tiny"),
        (3_000, 65, False, "photos"),
        (500_000, 500, True, "photos"),
        (500_000, 500, False, "heads"),
    ],
)
def test_the_space_follows_from_the_images_and_the_device_and_is_said_with_its_reason(train, side, has_gpu, name):
    settings, notes = proposed(train, side, has_gpu=has_gpu)

    assert (settings.space, settings.backbones) == (name, NETS)
    assert notes[0].startswith(f"The space `{name}` is searched, for ")
    assert "--space default|tiny|photos|heads" in notes[0]
    assert notes[1].startswith("Pretrained nets: timm/a, torchvision/b; --backbones")


def test_without_weights_at_hand_nets_are_searched_from_scratch_and_no_header_is_read():
    settings, notes = propose(SETTINGS, list, lambda: pytest.fail("headers are read"), has_gpu=False)

    assert (settings.space, settings.backbones) == ("default", None)
    assert len(notes) == 1
    assert "no weights of a pretrained net are at hand" in notes[0]


@pytest.mark.parametrize(
    ("fixed", "name", "backbones"),
    [
        ({"arch": "mlp"}, "default", None),
        ({"arch": "mobilenet_v3_small"}, "default", None),
        ({"arch": "timm/c"}, "photos", ["timm/c"]),
        ({"backbone": "torchvision/d", "arch": "logistic_head"}, "photos", ["torchvision/d"]),
        ({"arch": "logistic_head"}, "photos", NETS),
    ],
)
def test_a_fixed_architecture_says_which_space_and_nets_fit_it(fixed, name, backbones):
    settings, _ = proposed(fixed=fixed)

    assert (settings.space, settings.backbones) == (name, backbones)


@pytest.mark.parametrize(
    ("side", "name", "given", "kept"),
    [
        (500, "photos", None, 224),
        (500, "heads", None, 224),
        (96, "photos", None, 96),
        (500, "photos", 128, 128),
        (500, "tiny", None, None),  # 64 px, as where nobody asks for a size
        (32, "tiny", None, None),
        (500, "default", None, None),
    ],
)
def test_images_are_kept_at_224_px_where_pretrained_nets_see_larger_ones(side, name, given, kept):
    settings, notes = proposed(side=side, space=name, data_options=DataOptions(image_size=given))

    assert settings.data_options.image_size == kept
    assert any("--image-size" in note for note in notes) == (kept is not None and given is None)


def test_nets_that_are_named_are_used_instead_of_those_at_hand():
    settings, _ = proposed(backbones=["timm/c"])

    assert settings.backbones == ["timm/c"]


def test_a_space_of_the_users_own_is_left_as_it_is():
    settings, notes = proposed(space="/home/ada/mine.py:suggest")

    assert (settings, notes) == (replace(SETTINGS, space="/home/ada/mine.py:suggest"), [])


def test_a_space_over_pretrained_nets_without_any_is_refused_with_what_to_do():
    with pytest.raises(ConfigError, match=r"--space heads: .* no weights .* --backbones timm/NAME"):
        proposed(at_hand=[], space="heads")
