"""The common part of all heads: a frozen net, the pooling of its stages, and a last part that is trained.

A head is trained on features that were computed once for all heads (`trainable/features/`). The finished net maps
pixels to logits on its own, as any other net does.
"""

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sweep.storage.errors import ConfigError
from sweep.trainable.features.pooling import Shape, pooled, shape_of, width
from sweep.trainable.models import family_of, frozen, stage_maps, staged
from sweep.trainable.models.family import Config, Preprocessing
from sweep.trainable.models.known import known

SHAPES_VERSION = 1  # of the search for stages: raise it whenever a net gets other stages or shapes


class HeadNet(nn.Module):
    """Maps normalised pixels to logits: frozen backbone, pooling of its stages, standardised features, head.

    The backbone is built only when something must be computed with it. Building it takes seconds, and a head whose
    features are already stored never needs it.

    Attributes:
      backbone: None until it is built; `filled` builds and returns it.
      stages: the numbers of the backbone's stages that are read, from 1.
      shapes: the shapes of the maps of these stages.
      all_shapes: the shapes of the maps of all stages.
      count: the number of features of an image.
      head: the part that is trained, from features to logits; whoever builds the net puts it here.
      mean, std: (F,) of each feature over the training images.
    """

    backbone: nn.Module | None
    mean: Tensor
    std: Tensor

    def __init__(self, config: Config, input_size: tuple[int, int]) -> None:
        super().__init__()
        self.config, self.input_size = config, input_size
        self.register_module("backbone", None)
        self.all_shapes = self._shapes()
        self.pooling = config.pooling or "mean"
        self.stages = tuple(chosen_stages(config, len(self.all_shapes)))
        self.shapes = [self.all_shapes[number - 1] for number in self.stages]
        self.count = sum(width(self.pooling, shape) for shape in self.shapes)
        self.register_buffer("mean", torch.zeros(self.count))
        self.register_buffer("std", torch.ones(self.count))
        self.head: nn.Module = nn.Identity()

    @property
    def numbers(self) -> int:
        """How many numbers are stored for an image, which serve all heads on this backbone."""
        return sum(sum(shape.widths.values()) for shape in self.all_shapes)

    def filled(self) -> nn.Module:
        """Returns the backbone with its weights, on the device of the other parts; builds it if necessary."""
        if self.backbone is None:
            from sweep.trainable.models.net import place

            self.backbone = place(_frozen_net(self.config, self.input_size), self.config.arch, self.mean.device)
        return self.backbone

    def _shapes(self) -> list[Shape]:
        """Returns the shapes of all stages' maps, which are found with one blank image."""

        def find() -> list[tuple[int, int]]:
            self.backbone = _frozen_net(self.config, self.input_size)
            image = torch.zeros((1, 3, *self.input_size), device=next(self.backbone.parameters()).device)
            with torch.no_grad():
                maps = stage_maps.features(self.backbone, image, all_stages(self.backbone, image))
            return [(shape.channels, shape.side) for shape in map(shape_of, maps)]

        about = {"shapes": SHAPES_VERSION, "backbone": self.config.backbone, "input_size": self.input_size}
        return [Shape(channels, side) for channels, side in known(about, find)]

    def train(self, mode: bool = True) -> "HeadNet":
        """Puts the head into training or evaluation mode; the backbone always stays in evaluation mode."""
        super().train(mode)
        if self.backbone is not None:
            self.backbone.eval()  # its batch norms use the statistics that came with the weights
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Returns the (N, classes) logits of (N, 3, H, W) normalised images."""
        with torch.no_grad():
            maps = stage_maps.features(self.filled(), images, self.stages)
        if not torch.is_autocast_enabled(images.device.type):  # an exported graph has no autocast
            return self.from_maps(maps)
        with torch.autocast(images.device.type, enabled=False):
            return self.from_maps(maps)

    def from_maps(self, maps: Sequence[Tensor]) -> Tensor:
        """Returns the logits of images, given the maps of exactly the stages that this head reads."""
        columns = torch.cat([pooled(stage, self.pooling) for stage in maps], dim=1)
        logits: Tensor = self.head(self.standardised(columns))
        return logits

    def standardised(self, columns: Tensor) -> Tensor:
        """Returns (N, F) features with the mean subtracted and divided by the deviation."""
        return (columns - self.mean) / self.std


def build(config: Config, input_size: tuple[int, int]) -> HeadNet:
    """Builds the net of a head, still without the backbone and without the part that is trained.

    Args:
      input_size: the height and width that the backbone takes.
    """
    return HeadNet(config, input_size)


def fill(model: nn.Module) -> nn.Module:
    """Builds the backbones that the heads in a model still lack, and returns the model."""
    for module in list(model.modules()):
        if isinstance(module, HeadNet):
            module.filled()
    return model


def _frozen_net(config: Config, input_size: tuple[int, int]) -> nn.Module:
    """Builds the backbone of a head without advancing torch's global generator.

    So nothing that is drawn later depends on whether the backbone was built. Its own last layer, which no head reads,
    is drawn from a fixed seed, so that files with the whole net come out the same each time.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = family_of(_backbone(config)).build(backbone_config(config), 1, input_size).eval()
    frozen.freeze(net)
    staged.stages(net, torch.zeros((1, 3, *input_size), device=next(net.parameters()).device))
    return net


def backbone_config(config: Config) -> Config:
    """Returns the config with which the backbone's own family builds it."""
    family = family_of(_backbone(config))
    has_weights = config.pretrained is not False
    return dataclasses.replace(  # a fresh config, because a head's own fields do not apply to its backbone
        _default_config(_backbone(config), tuple(family.shape.items())),
        pretrained=has_weights,
        input_size=config.input_size,
        center_crop=config.center_crop,
    )


def preprocessing(config: Config) -> Preprocessing:
    """Returns how the backbone takes pixels."""
    return family_of(_backbone(config)).preprocessing(backbone_config(config))


def check(config: Config) -> None:
    """Checks that a head can be trained on this machine.

    Raises:
      ConfigError: there is no such backbone, its weights are not on this machine, or the head has several epochs.
    """
    if config.epochs != 1:
        raise ConfigError(f"`epochs = 1` must hold for arch={config.arch}, got epochs={config.epochs}")
    family = family_of(_backbone(config))
    if not family.prefix:
        raise ConfigError(f"`backbone` must be timm/NAME or torchvision/NAME, got {config.backbone}")
    family.check(backbone_config(config), [])


def chosen_stages(config: Config, count: int) -> list[int]:
    """Returns the numbers of the stages that a head reads, out of `count` stages; by default the last one alone."""
    text = config.stages or "-1"
    if text.startswith("-"):
        return list(range(max(1, count + 1 - int(text[1:])), count + 1))
    first, _, last = text.partition("-")
    begin, end = min(int(first), count), min(int(last or first), count)
    return list(range(begin, end + 1))


def _backbone(config: Config) -> str:
    assert config.backbone is not None
    return config.backbone


def _default_config(arch: str, shape: tuple[tuple[str, object], ...]) -> Config:
    """Returns a config of the architecture with these shape fields, and defaults for all others."""
    from sweep.trainable.config import TrialConfig

    return TrialConfig.from_dict({"arch": arch, **dict(shape)})


def all_stages(net: nn.Module, images: Tensor) -> range:
    """Returns the numbers of all stages of a net; `images` are (N, 3, H, W), N at least 1, as the net takes them."""
    return range(1, staged.stages(net, images).count + 1)
