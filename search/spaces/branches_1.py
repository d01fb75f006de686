"""The branches of the first spaces over pretrained nets: heads, fine-tuned nets, and nets trained from scratch.

These branches must not change, because the published spaces that draw from them must not. Ranges are inclusive; `log`
is used where good values span decades. A parameter that means the same in several branches has one name, so that the
sampler uses in all of them what it learned in one. A parameter whose range differs between branches has a different
name in each.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sweep.search.spaces.default_2 import REFERENCE_RATES
from sweep.search.spaces.space import Suggests, suggest_multiple
from sweep.storage.sweep_file import Values
from sweep.trainable.config import TrialConfig
from sweep.trainable.models import family_of, is_of_catalogue, reads_features

MULTIPLES = 0.1, 10.0  # the range of the factor on the learning rate at which a family trains well
OTHER_RATE = 0.1  # the rate for an optimizer that is not listed; TrialConfig refuses such an optimizer anyway


@dataclass(frozen=True)
class Heads:
    """The ranges over which heads on frozen features are searched.

    Attributes:
      sides: the smallest and the largest side in px to which images are resized, and the step between sides. There are
        only a few sides, because the features of each are computed once per sweep.
      stages: the choices of net stages whose features a head reads.
      poolings: the choices of how the feature map of each stage is pooled.
      penalties: the smallest and the largest penalty.
    """

    sides: tuple[int, int, int]
    stages: tuple[str, ...]
    poolings: tuple[str, ...]
    penalties: tuple[float, float]


@dataclass(frozen=True)
class Tuning:
    """The ranges over which fine-tuning is searched.

    Attributes:
      sides: the smallest and the largest side in px to which images are resized, and the step between sides.
      epochs: the fewest and the most epochs.
      frozen_stages: the fewest and the most frozen stages.
      rate: the learning rate of AdamW at which a pretrained net trains well.
      is_photos: whether images are also randomly cropped and recoloured, which suits photographs but not small
        pictures.
    """

    sides: tuple[int, int, int]
    epochs: tuple[int, int]
    frozen_stages: tuple[int, int]
    rate: float
    is_photos: bool


# The last stage represents the objects of ImageNet; the middle stages represent textures and parts. Small images
# consist of these, and on 3,068 photographs of clothes the last five stages scored 6 points more than the last one
# alone. Each further side costs a pass over all images; further stages cost nothing.
TINY_HEADS = Heads((64, 128, 32), ("-1", "-5", "3-4"), ("2x2", "4x4", "pyramid"), (1e-2, 0.3))
PHOTO_HEADS = Heads((160, 224, 64), ("-1", "-3", "-5"), ("mean_std", "2x2", "4x4", "pyramid"), (1e-3, 0.3))
TINY_TUNING = Tuning((48, 96, 16), (3, 12), (1, 4), rate=1e-3, is_photos=False)
PHOTO_TUNING = Tuning((128, 384, 32), (3, 20), (0, 4), rate=3e-4, is_photos=True)


def suggest_branch(
    trial: Suggests, archs: Sequence[str], backbones: Sequence[str], heads: Heads, tuning: Tuning
) -> TrialConfig:
    """Draws one of the architectures and then the parameters of its branch; --fix may name any other architecture."""
    arch = trial.suggest_categorical("arch", list(archs))
    if reads_features(arch):
        return _head(trial, arch, backbones, heads)
    return _tuned(trial, arch, tuning) if is_of_catalogue(arch) else _from_scratch(trial, arch)


def _head(trial: Suggests, arch: str, backbones: Sequence[str], heads: Heads) -> TrialConfig:
    low, high, step = heads.sides
    fields = family_of(arch).fields
    values: Values = dict(
        arch=arch,
        backbone=trial.suggest_categorical("backbone", list(backbones)),
        input_size=trial.suggest_int("input_size", low, high, step=step),
        stages=trial.suggest_categorical("stages", list(heads.stages)),
        pooling=trial.suggest_categorical("pooling", list(heads.poolings)),
        flip=trial.suggest_categorical("flip", [False, True]),
        epochs=1,
    )
    if "penalty" in fields:
        values["penalty"] = trial.suggest_float("penalty", *heads.penalties, log=True)
    if "hidden" in fields:
        values |= dict(
            hidden=trial.suggest_int("hidden", 64, 1024, log=True),
            feature_mixup=trial.suggest_float("feature_mixup", 0.0, 0.7),
            dropout=trial.suggest_float("head_dropout", 0.0, 0.7),
            optimizer="adamw",
            lr=suggest_multiple(trial, "lr", 1e-3, *MULTIPLES),
            weight_decay=trial.suggest_float("decoupled_weight_decay", 1e-3, 0.3, log=True),
            label_smoothing=trial.suggest_float("label_smoothing", 0.0, 0.4),
        )
    return TrialConfig(**values)


def _tuned(trial: Suggests, arch: str, tuning: Tuning) -> TrialConfig:
    low, high, step = tuning.sides
    values: Values = dict(
        arch=arch,
        pretrained=True,
        input_size=trial.suggest_int("tuned_input_size", low, high, step=step),
        frozen_stages=trial.suggest_int("frozen_stages", *tuning.frozen_stages),
        head_start=trial.suggest_categorical("head_start", [False, True]),
        dropout=trial.suggest_float("dropout", 0.0, 0.5),
        layer_decay=trial.suggest_float("layer_decay", 0.6, 1.0),
        optimizer="adamw",
        schedule="cosine",
        lr=suggest_multiple(trial, "lr", tuning.rate, *MULTIPLES),
        weight_decay=trial.suggest_float("decoupled_weight_decay", 1e-3, 0.3, log=True),
        label_smoothing=trial.suggest_float("label_smoothing", 0.0, 0.4),
        batch_size=trial.suggest_int("tuned_batch_size", 32, 128, log=True),
        epochs=trial.suggest_int("tuned_epochs", *tuning.epochs),
        warmup=0.1,
        clip=1.0,
        ema=trial.suggest_categorical("ema", [None, 0.99, 0.999]),
        mixup=trial.suggest_float("mixup", 0.0, 0.5),
        cutmix=trial.suggest_float("cutmix", 0.0, 0.5),
        horizontal_flip=trial.suggest_float("horizontal_flip", 0.0, 0.7),
    )
    if tuning.is_photos:
        values |= dict(
            random_resized_crop=trial.suggest_float("random_resized_crop", 0.0, 1.0),
            color_jitter=trial.suggest_float("color_jitter", 0.0, 0.5),
        )
    return TrialConfig(**values)


def _from_scratch(trial: Suggests, arch: str) -> TrialConfig:
    optimizer = trial.suggest_categorical("optimizer", ["nesterov", "adamw"])
    rates = REFERENCE_RATES.get(arch, REFERENCE_RATES["resnet18"])
    values: Values = dict(
        arch=arch,
        optimizer=optimizer,
        schedule="onecycle",
        lr=suggest_multiple(trial, "lr", rates.get(optimizer, OTHER_RATE), *MULTIPLES),
        weight_decay=trial.suggest_float("weight_decay", 0.0, 8e-3),
        label_smoothing=trial.suggest_float("label_smoothing", 0.0, 0.4),
        batch_size=trial.suggest_int("batch_size", 64, 256, log=True),
        epochs=trial.suggest_int("epochs", 10, 40),
        horizontal_flip=trial.suggest_float("horizontal_flip", 0.0, 0.7),
        vertical_flip=trial.suggest_float("vertical_flip", 0.0, 0.7),
        shift=trial.suggest_float("shift", 0.0, 0.7),
        cutout=trial.suggest_float("cutout", 0.0, 0.7),
    )
    shape: Values = dict(family_of(arch).shape)  # --fix may name any family; its net has the published size
    if "width" in shape:
        shape["width"] = trial.suggest_float("width", 1.0, 4.0, log=True)
    if "depth" in shape:
        shape["depth"] = trial.suggest_int("depth", 1, 2)
    if "head" in shape:
        shape["head"] = trial.suggest_int("head", 32, 512, log=True)
    return TrialConfig(**values, **shape)
