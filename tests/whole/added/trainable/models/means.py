"""A linear function of the mean colour."""

from sweep.trainable.models.family import Config, Family, Net, Preprocessing


def build(config: Config, classes: int, image_size: tuple[int, int]) -> Net:
    from torch import nn

    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, classes))


GREY = Preprocessing(mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))

FAMILY = Family("means", {}, build, preprocessing=lambda config: GREY)
