"""The published convolutional net: conv 16, pool, conv 10, pool, then hidden layers of 128 and 84 units."""

from sweep.trainable.models.family import Config, Family, Net


def build(config: Config, classes: int, image_size: tuple[int, int]) -> Net:
    """Builds the net; `depth` 2 is the published one.

    Depth 1 leaves the second convolution out. Each depth above 2 adds a padded convolution behind the second one.
    """
    from torch import nn

    from sweep.trainable.torch_changes import Conv2d

    assert config.width is not None
    assert config.depth is not None
    assert config.head is not None
    first_width, later_width = max(1, round(16 * config.width)), max(1, round(10 * config.width))
    side_y, side_x = image_size
    layers: list[nn.Module] = []
    channels = 3
    for layer in range(config.depth):
        is_pooled = layer < 2 and min(side_y, side_x) >= 4  # pooling a smaller map would leave nothing of it
        width = first_width if layer == 0 else later_width
        layers.append(Conv2d(channels, width, 3, padding=0 if is_pooled else 1))
        if is_pooled:
            layers.append(nn.MaxPool2d(2))
            side_y, side_x = (side_y - 2) // 2, (side_x - 2) // 2
        layers.append(nn.ReLU())  # after the pooling: the same result from a quarter of the numbers
        channels = width
    second_units = max(1, round(config.head * 84 / 128))
    return nn.Sequential(
        *layers,
        nn.Flatten(),
        nn.Linear(channels * side_y * side_x, config.head),
        nn.ReLU(),
        nn.Linear(config.head, second_units),
        nn.ReLU(),
        nn.Linear(second_units, classes),
    )


# On a GPU bf16 gains nothing: conversions take the time that it saves.
FAMILY = Family("cnn", {"width": 1.0, "depth": 1, "head": 1}, build, bf16=frozenset({"cpu"}))
