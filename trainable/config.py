"""What decides a trial: every hyperparameter once, with its unit and range."""

import dataclasses
import difflib
import json
import math
import re
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sweep.datasets import augment
from sweep.storage import user_code
from sweep.storage.errors import ConfigError
from sweep.trainable import class_weights, losses, models

OPTIMIZERS = ("sgd", "nesterov", "adam", "adamw")
SCHEDULES = ("constant", "step", "cosine", "onecycle")

POOLINGS = ("mean", "mean_std", "2x2", "4x4", "pyramid")  # of a stage's map; pyramid: the finer, the larger the map
MIXING = ("mixup", "cutmix")  # per batch

# Of each field that handles unequal classes, the value that leaves them as they are.
UNHANDLED = {"class_weights": class_weights.DEFAULT, "balanced": 0.0, "loss": losses.DEFAULT}

MULTIPLE = "_multiple"  # the ending of a search parameter that is the multiple of a field's reference value


@dataclass(frozen=True)
class TrialConfig:
    """One training run. Same config, same data, same device: same numbers.

    Raises:
      ConfigError: a field is out of its range, or is not one of its architecture's.
    """

    arch: str = "small_resnet"  # a family, the name of a classifier of torchvision.models, or FILE.py:OBJECT
    width: float | None = None  # multiplies the channels or units of the architecture; 1 is its published size
    depth: int | None = None  # cnn: convolutions; small_resnet: blocks a stage
    head: int | None = None  # cnn: units of the first hidden layer after the convolutions
    small_stem: bool | None = None  # resnet18: a 3x3 stem without pooling, for images under 64 px
    pretrained: bool | None = None  # resnet18 and the nets of timm and torchvision: start from weights of theirs

    # Pretrained nets, and heads on their frozen features. None leaves a choice out, and is written nowhere.
    backbone: str | None = None  # the heads: the net whose features they read, timm/NAME or torchvision/NAME
    input_size: int | None = None  # px, the side to which the net's first layer resizes images; None: as they are kept
    center_crop: bool | None = None  # the middle of images alone is seen, the share that the weights were judged on
    stages: str | None = None  # the heads: the stages whose features they read: "2-5", or "-3", the last three
    pooling: str | None = None  # the heads: how each stage's map becomes features
    flip: bool | None = None  # the heads: learn from each image and from its mirror image
    penalty: float | None = None  # the heads: the factor of |W|^2 beside the mean loss, features standardised
    hidden: int | None = None  # mlp_head: units of its hidden layer
    feature_mixup: float | None = None  # mlp_head: probability per batch, [0, 1]
    frozen_stages: int | None = None  # so many stages, from the first, keep the weights that they came with
    kept_stages: int | None = None  # so many stages, from the first, are there at all; None: every one
    head_start: bool | None = None  # the last layer begins as the solution of a logistic head
    dropout: float | None = None  # before the last layer, [0, 1)
    drop_path: float | None = None  # the share of residual branches that are left out, [0, 1)
    layer_decay: float | None = None  # the rate of each stage is that of the one behind it times this, (0, 1]

    optimizer: str = "nesterov"  # sgd and nesterov with momentum 0.9
    schedule: str = "onecycle"  # step: a tenth of the rate every 7 epochs
    lr: float = 0.1  # peak, for one batch of `batch_size`
    weight_decay: float = 5e-4
    label_smoothing: float = 0.0  # [0, 1)
    batch_size: int = 128  # images per step, one device
    epochs: int = 20  # passes over the training split

    horizontal_flip: float = 0.0  # the augmentations: probability per image and epoch, [0, 1]
    vertical_flip: float = 0.0
    transpose: float = 0.0
    rotate: float = 0.0  # up to 90 degrees either way
    shift: float = 0.0  # up to a sixteenth of the side, whole pixels
    gauss_noise: float = 0.0
    emboss: float = 0.0
    hue_saturation_value: float = 0.0
    channel_shuffle: float = 0.0
    cutout: float = 0.0  # one square, a quarter to a half of the side
    # None is 0: these came later, and a config that does not ask for them is written as it was before.
    random_resized_crop: float | None = None  # a part of 35 % to all of it, enlarged
    color_jitter: float | None = None  # brightness, contrast, saturation up to 40 %, hue up to a tenth of the circle
    trivial_augment: float | None = None  # one of 14 changes of place, colour or sharpness, of a drawn strength
    pipeline: str | None = (
        None  # a Compose of one's own instead of these, as datasets.augment.pipeline.to_text writes it
    )
    mixup: float = 0.0  # probability per batch, [0, 1]; mixup + cutmix <= 1
    cutmix: float = 0.0

    warmup: float | None = None  # the share of the steps in which the rate rises from 0, [0, 0.5]; None: the schedule's
    clip: float | None = None  # the most that the norm of the gradients may be
    ema: float | None = None  # decay a step of the mean of weights that predicts, [0, 1); None: the weights themselves

    # How unequal classes are handled. What is as if there were no handling becomes None, so equal trainings are equal.
    class_weights: str | None = None  # none, inverse, sqrt_inverse, effective: by how many images of a class there are
    balanced: float | None = None  # how far sampling makes classes alike, [0, 1]: 0 as the data is, 1 equally often
    loss: str | None = None  # cross_entropy, focal, logit_adjusted: of the training; validation loss is cross entropy

    seed: int = 0  # weights, order, augmentation and dropout

    def __post_init__(self) -> None:
        for name, kind in TYPES.items():
            value = _typed(name, getattr(self, name), kind)
            object.__setattr__(self, name, None if value == UNHANDLED.get(name) else value)
        if not user_code.is_reference(self.arch) or user_code.has_run(self.arch):
            family = models.family_of(self.arch)
            self._check_shape(family.shape.keys(), family.optional)
        for rule, (names, holds) in RULES.items():
            self._hold(holds(self), rule, *names)
        for name in AUGMENTATIONS + MIXING:
            self._hold(0 <= (getattr(self, name) or 0) <= 1, f"0 <= {name} <= 1", name)
        self._hold(not (self.pipeline and self.augmentation), "pipeline or probabilities, not both", *self.augmentation)

    def _check_shape(self, needs: Collection[str], may_have: Collection[str]) -> None:
        for name in SHAPE_FIELDS:
            given = getattr(self, name) is not None
            if given != (name in needs) and name not in may_have:
                rule = "must be set" if name in needs else "must be left out"
                raise ConfigError(f"`{name}` {rule} for arch={self.arch}, got {name}={getattr(self, name)}")

    def _hold(self, rule: bool, text: str, *names: str) -> None:
        if not rule:
            values = ", ".join(f"{name}={getattr(self, name)}" for name in names)
            raise ConfigError(f"`{text}` must hold, got {values}")

    @property
    def augmentation(self) -> dict[str, float]:
        """The probabilities above zero, in the order in which the transforms run."""
        return {name: p for name in AUGMENTATIONS if (p := getattr(self, name) or 0) > 0}

    @property
    def own_transforms(self) -> list[str]:
        """The classes of the user's own files in its pipeline, each FILE.py:CLASS."""
        names: list[object] = []
        with suppress(ValueError, RecursionError):  # whoever makes the pipeline says that its text is none
            json.loads(self.pipeline or "{}", object_hook=lambda saved: names.append(saved.get("__class_fullname__")))
        return [name for name in names if isinstance(name, str) and user_code.is_reference(name)]

    def from_scratch(self) -> "TrialConfig":
        """The same net, for weights of our own or none: ImageNet's need not be on this machine."""
        return dataclasses.replace(self, pretrained=False) if self.pretrained or self.backbone else self

    def to_dict(self) -> dict[str, Any]:
        """The fields that are set, in their order: what is shown and stored."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=1) + "\n"

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> "TrialConfig":
        """The config with these fields; the rest keep their defaults.

        Raises:
          ConfigError: a name is no field, a value has the wrong type, or a rule is broken.
        """
        for name in values:
            if name not in TYPES:
                raise ConfigError(unknown_name(name, TYPES))
        return TrialConfig(**values)


# By what must hold: the fields, and the check, which NaN fails too.
RULES: dict[str, tuple[tuple[str, ...], Callable[[TrialConfig], bool]]] = {
    "width > 0": (("width",), lambda its: its.width is None or its.width > 0),
    "1 <= depth <= 8": (("depth",), lambda its: its.depth is None or 1 <= its.depth <= 8),
    "head >= 1": (("head",), lambda its: its.head is None or its.head >= 1),
    "32 <= input_size <= 1024": (("input_size",), lambda its: its.input_size is None or 32 <= its.input_size <= 1024),
    f"pooling in {POOLINGS}": (("pooling",), lambda its: its.pooling in (None, *POOLINGS)),
    'stages as "2-5", "3", or "-2" for the last two': (
        ("stages",),
        lambda its: bool(re.fullmatch(r"[1-9]\d?(-[1-9]\d?)?|-[1-9]\d?", its.stages or "1")),
    ),
    "penalty > 0": (("penalty",), lambda its: its.penalty is None or 0 < its.penalty < math.inf),
    "hidden >= 1": (("hidden",), lambda its: its.hidden is None or its.hidden >= 1),
    "0 <= feature_mixup <= 1": (("feature_mixup",), lambda its: 0 <= (its.feature_mixup or 0) <= 1),
    "frozen_stages >= 0": (("frozen_stages",), lambda its: (its.frozen_stages or 0) >= 0),
    "kept_stages >= 1": (("kept_stages",), lambda its: its.kept_stages is None or its.kept_stages >= 1),
    "0 <= dropout < 1": (("dropout",), lambda its: 0 <= (its.dropout or 0) < 1),
    "0 <= drop_path < 1": (("drop_path",), lambda its: 0 <= (its.drop_path or 0) < 1),
    "0 < layer_decay <= 1": (("layer_decay",), lambda its: its.layer_decay is None or 0 < its.layer_decay <= 1),
    "0 <= warmup <= 0.5": (("warmup",), lambda its: 0 <= (its.warmup or 0) <= 0.5),
    "clip > 0": (("clip",), lambda its: its.clip is None or 0 < its.clip < math.inf),
    "0 <= ema < 1": (("ema",), lambda its: 0 <= (its.ema or 0) < 1),
    f"class_weights in {(*class_weights.WEIGHTS,)}": (
        ("class_weights",),
        lambda its: its.class_weights is None or its.class_weights in class_weights.WEIGHTS,
    ),
    "0 <= balanced <= 1": (("balanced",), lambda its: 0 <= (its.balanced or 0) <= 1),
    f"loss in {(*losses.LOSSES,)}": (("loss",), lambda its: its.loss is None or its.loss in losses.LOSSES),
    f"optimizer in {OPTIMIZERS}": (("optimizer",), lambda its: its.optimizer in OPTIMIZERS),
    f"schedule in {SCHEDULES}": (("schedule",), lambda its: its.schedule in SCHEDULES),
    "lr > 0": (("lr",), lambda its: 0 < its.lr < math.inf),
    "weight_decay >= 0": (("weight_decay",), lambda its: 0 <= its.weight_decay < math.inf),
    "0 <= label_smoothing < 1": (("label_smoothing",), lambda its: 0 <= its.label_smoothing < 1),
    "batch_size >= 2 (batch norm needs two images)": (("batch_size",), lambda its: its.batch_size >= 2),
    "epochs >= 1": (("epochs",), lambda its: its.epochs >= 1),
    "mixup + cutmix <= 1": (MIXING, lambda its: its.mixup + its.cutmix <= 1),
    "0 <= seed < 2**31": (("seed",), lambda its: 0 <= its.seed < 2**31),
}

TYPES = {  # by the name of the field
    field.name: field.type.__name__ if isinstance(field.type, type) else str(field.type)
    for field in dataclasses.fields(TrialConfig)
}

# Per image and epoch, in the order in which they run. A transform that is no field can be asked for in a pipeline.
AUGMENTATIONS = tuple(name for name in augment.NAMES if name in TYPES)
# Those that a family reads, its architectures must have; the others they must not.
SHAPE_FIELDS = tuple(name for name in TYPES if any(name in family.fields for family in models.FAMILIES))


def check_field(name: str, value: Any) -> None:
    """Raises:
    ConfigError: no config can have this value in the field of that name, whatever its other fields are.
    """
    family = next((family for family in models.FAMILIES if name in family.fields), models.FAMILIES[0])
    if name == "arch":
        family = models.family_of(_typed(name, value, "str"))
    config = TrialConfig.from_dict({"arch": family.name, "epochs": 1, **family.shape, name: value})
    if name == "arch":
        models.check(config)


def unknown_name(name: str, known: Mapping[str, Any]) -> str:
    """The message for a hyperparameter that does not exist, with the nearest one that does."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(known)}"
    return f"unknown hyperparameter `{name}`; {hint}"


def plain_value(value: Any) -> Any:
    """Returns a number or text of numpy's or torch's as Python's own, and anything else as it is."""
    return value.item() if getattr(value, "shape", None) == () else value


def _typed(name: str, value: Any, kind: str) -> Any:
    if value is None and kind.endswith(" | None"):
        return None
    value, kind = plain_value(value), kind.removesuffix(" | None")
    if kind == "float" and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if (kind == "int" and isinstance(value, int) and not isinstance(value, bool)) or kind == type(value).__name__:
        return value
    words = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "text"}
    raise ConfigError(f"`{name}` must be {words[kind]}, got {value!r}")
