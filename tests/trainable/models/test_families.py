"""What every family of architectures must keep to."""

import math
from dataclasses import replace

import pytest
import torch

from sweep.trainable import models, precision
from sweep.trainable.config import SHAPE_FIELDS, TYPES, ConfigError, TrialConfig
from sweep.trainable.loop import train
from sweep.trainable.models.net import build, place
from sweep.trainable.state import new_state
from tests.copies import run_in
from tests.trials import in_memory

SIZE = (16, 16)
SMALL = {"timm/": "test_efficientnet", "torchvision/": "mobilenet_v3_small"}  # a small net, by a catalogue's prefix


def config_of(family, **values) -> TrialConfig:
    """A config of the family at its published size."""
    arch = f"{family.prefix}{SMALL[family.prefix]}" if family.prefix else family.name
    epochs = {"epochs": 1} if family.train else {}  # what is no descent by batches is done at once
    return TrialConfig(**{"arch": arch, **family.shape, **values, **epochs})


@pytest.mark.parametrize("family", models.FAMILIES, ids=lambda family: family.name)
class TestFamily:
    def test_a_config_has_the_shape_fields_that_it_reads_and_no_others(self, family):
        config = config_of(family)

        assert models.family_of(config.arch) is family
        assert {name for name in SHAPE_FIELDS if getattr(config, name) is not None} == family.shape.keys()
        for name in {*SHAPE_FIELDS} - family.optional:
            some = {"bool": True, "str": "1"}.get(TYPES[name].removesuffix(" | None"), 1)
            other = None if name in family.shape else some
            with pytest.raises(ConfigError, match=f"`{name}` must be (set|left out) for arch={config.arch}"):
                replace(config, **{name: other})

    @pytest.mark.parametrize("size", [SIZE, (40, 33)], ids=str)
    @pytest.mark.parametrize("dtype", [torch.uint8, torch.float32], ids=str)
    def test_it_maps_pixels_to_one_logit_a_class(self, family, size, dtype):
        model = build(config_of(family), 5, size).eval()

        logits = model(torch.randint(0, 256, (2, 3, *size)).to(dtype))

        assert logits.shape == (2, 5)
        assert logits.isfinite().all()

    def test_its_first_layer_takes_its_mean_to_zero_and_a_deviation_more_to_one(self, family):
        normalise = build(config_of(family), 5, SIZE)[0]
        expected = family.preprocessing(config_of(family))

        for deviations in (0, 1):
            channels = [255 * (m + deviations * s) for m, s in zip(expected.mean, expected.std, strict=True)]
            pixels = torch.tensor(channels).view(1, 3, 1, 1).expand(1, 3, *SIZE)
            torch.testing.assert_close(normalise(pixels), torch.full((1, 3, *SIZE), float(deviations)))

    def test_its_weights_are_a_function_of_the_seed(self, family):
        nets = []
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            nets.append(build(config_of(family), 5, SIZE).state_dict())

        same = [all(torch.equal(nets[0][name], net[name]) for name in nets[0]) for net in nets]
        assert same == [True, True, False]

    def test_what_it_needs_is_there_or_named(self, family):
        models.check(config_of(family))

    def test_it_learns(self, family):
        data, config = in_memory(), config_of(family, epochs=2, batch_size=8, lr=0.01)

        losses = [metrics.train_loss for metrics in train(config, data, new_state(config, data))]

        assert all(math.isfinite(loss) for loss in losses)
        chance = math.log(len(data.classes))  # where there is but one epoch
        assert losses[-1] < (losses[0] if len(losses) > 1 else chance)

    def test_it_computes_on_every_device_as_that_can(self, family, monkeypatch):
        gpu, cpu = torch.device("cuda", 0), torch.device("cpu")
        full, bf16, float16 = torch.float32, torch.bfloat16, torch.float16
        for has_units, capability, formats in ((True, (8, 0), (bf16, bf16)), (False, (7, 5), (float16, full))):
            monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _, known=capability: known)
            monkeypatch.setattr(torch.cpu, "get_capabilities", lambda known=has_units: {"avx512_bf16": known})
            for device, fastest in zip((gpu, cpu), formats, strict=True):
                chosen = precision.numerics(config_of(family).arch, device)
                assert chosen.format is (fastest if device.type in family.bf16 else full)

    def test_its_weights_and_pixels_lie_in_memory_as_it_computes(self, family):
        config = config_of(family)
        model = place(build(config, 5, SIZE), config.arch, "cpu")

        memory_format = torch.channels_last if family.channels_last else torch.contiguous_format
        assert model[0](torch.zeros(2, 3, *SIZE)).is_contiguous(memory_format=memory_format)
        assert all(p.is_contiguous(memory_format=memory_format) for p in model.parameters() if p.ndim == 4)


def test_configs_are_checked_without_torch():
    program = (
        "import sys; from trainable.config import TrialConfig; TrialConfig(arch='resnet50', pretrained=False);"
        "sys.exit(bool({'torch', 'torchvision'} & {*sys.modules}))"
    )

    assert run_in(".", "-c", program).returncode == 0
