"""The published perceptron: two hidden layers of 50 and 20 units."""

from sweep.trainable.models.family import Config, Family, Net


def build(config: Config, classes: int, image_size: tuple[int, int]) -> Net:
    """Builds the net; `width` multiplies the units of both hidden layers."""
    from torch import nn

    assert config.width is not None
    first, second = max(1, round(50 * config.width)), max(1, round(20 * config.width))
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(3 * image_size[0] * image_size[1], first),
        nn.ReLU(),
        nn.Linear(first, second),
        nn.ReLU(),
        nn.Linear(second, classes),
    )


# No bf16 on any device: conversions take more time than it saves.
FAMILY = Family("mlp", {"width": 1.0}, build, channels_last=False)
