"""A plain convolutional net with batch norm, as Simonyan & Zisserman 2014 stack them: six 3x3 convolutions."""

from sweep.trainable.models.family import Config, Family, Net

# The channels of each convolution, and whether pooling follows it.
LAYERS = ((32, False), (32, False), (32, False), (64, True), (64, True), (128, True))
HIDDEN = 64  # units
DROPOUT = 0.3  # after each pooling and before the last layer


def build(config: Config, classes: int, image_size: tuple[int, int]) -> Net:
    """Builds the net; `width` multiplies channels and hidden units. Images too small for a pooling skip it."""
    from torch import nn

    from sweep.trainable.torch_changes import Conv2d, Dropout

    assert config.width is not None
    side_y, side_x = image_size
    layers: list[nn.Module] = []
    channels_in = 3
    for published_channels, is_pooled in LAYERS:
        channels = max(1, round(published_channels * config.width))
        pools = is_pooled and min(side_y, side_x) >= 2
        layers += [Conv2d(channels_in, channels, 3, padding=1), nn.BatchNorm2d(channels)]
        # Pooling comes before ReLU: the same result from a quarter of the numbers.
        layers += [nn.MaxPool2d(2), nn.ReLU(), Dropout(DROPOUT)] if pools else [nn.ReLU()]
        if pools:
            side_y, side_x = side_y // 2, side_x // 2
        channels_in = channels
    hidden = max(1, round(HIDDEN * config.width))
    return nn.Sequential(
        *layers,
        nn.Flatten(),
        nn.Linear(channels_in * side_y * side_x, hidden),
        nn.ReLU(),
        Dropout(DROPOUT),
        nn.Linear(hidden, classes),
    )


FAMILY = Family("small_vgg", {"width": 1.0}, build, bf16=frozenset({"cpu", "cuda"}))
