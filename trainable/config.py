"""The config of a trial: every hyperparameter exists once here, with its unit and range."""

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

# How heads pool the map of a stage; `pyramid` uses the standard deviation, and a finer grid for a larger map.
POOLINGS = ("mean", "mean_std", "2x2", "4x4", "pyramid")
MIXING = ("mixup", "cutmix")  # drawn once per batch

# For each field that handles classes of unequal size, the value that means "no handling".
UNHANDLED = {"class_weights": class_weights.DEFAULT, "balanced": 0.0, "loss": losses.DEFAULT}

MULTIPLE = "_multiple"  # search parameters with this ending hold a multiple of a field's reference value


@dataclass(frozen=True)
class TrialConfig:
    """The hyperparameters of one training run.

    The same config, data and device give the same numbers.

    Raises:
      ConfigError: a field is out of its range, or is missing although the architecture needs it, or is set although the
        architecture does not have it.
    """

    arch: str = "small_resnet"  # a family's name, timm/NAME, torchvision/NAME, or FILE.py:OBJECT
    width: float | None = None  # multiplies the architecture's channels or units; 1 is the published size
    depth: int | None = None  # cnn: number of convolutions; small_resnet: blocks per stage
    head: int | None = None  # cnn: units of the first hidden layer after the convolutions
    small_stem: bool | None = None  # resnet18: a 3x3 stem without pooling, for images under 64 px
    pretrained: bool | None = None  # resnet18 and nets of timm and torchvision: start from pretrained weights

    # Fields for pretrained nets, and for heads that learn on their frozen features. None means that a field is not set;
    # such a field is neither shown nor stored.
    backbone: str | None = None  # heads: the net whose features they read, timm/NAME or torchvision/NAME
    input_size: int | None = None  # px, side to which the net resizes images; None: no resizing, if the net allows
    center_crop: bool | None = None  # the net sees only the middle of an image, as when its weights were evaluated
    stages: str | None = None  # heads: the stages whose features they read: "2-5", or "-3" for the last three
    pooling: str | None = None  # heads: how the map of each stage becomes features, one of POOLINGS
    flip: bool | None = None  # heads: learn from each image and also from its mirror image
    penalty: float | None = None  # logistic_head: factor of |W|^2, which is added to the mean loss
    hidden: int | None = None  # mlp_head: units of the hidden layer
    feature_mixup: float | None = None  # mlp_head: probability per batch, [0, 1]
    frozen_stages: int | None = None  # this many stages, counted from the first, keep the weights they came with
    kept_stages: int | None = None  # the net is cut behind this many stages; None: it has all of them
    head_start: bool | None = None  # the last layer starts as the solution of a logistic head
    dropout: float | None = None  # before the last layer, [0, 1)
    drop_path: float | None = None  # probability with which a residual branch is skipped, [0, 1)
    layer_decay: float | None = None  # each stage's learning rate is that of the next stage times this, (0, 1]

    optimizer: str = "nesterov"  # sgd and nesterov have momentum 0.9
    schedule: str = "onecycle"  # step divides the rate by 10 every 7 epochs
    lr: float = 0.1  # peak, for one batch of `batch_size`
    weight_decay: float = 5e-4
    label_smoothing: float = 0.0  # [0, 1)
    batch_size: int = 128  # images per step, over all processes of the trial
    epochs: int = 20  # passes over the training split

    # The augmentations: the probability of each, per image and epoch, [0, 1].
    horizontal_flip: float = 0.0
    vertical_flip: float = 0.0
    transpose: float = 0.0
    rotate: float = 0.0  # up to 90 degrees either way
    shift: float = 0.0  # up to a sixteenth of the side, whole pixels
    gauss_noise: float = 0.0
    emboss: float = 0.0
    hue_saturation_value: float = 0.0
    channel_shuffle: float = 0.0
    cutout: float = 0.0  # one square is blanked, its side a quarter to a half of the image's
    # Here None means 0. These fields were added later; a config without them is stored exactly as before.
    random_resized_crop: float | None = None  # 35 % to 100 % of the area, enlarged to full size
    color_jitter: float | None = None  # brightness, contrast, saturation up to 40 %, hue up to a tenth of the circle
    trivial_augment: float | None = None  # one of 14 geometric or colour changes, its strength drawn at random
    # A Compose of the user's own in place of the augmentations above, as the text that augment.pipeline.to_text writes.
    pipeline: str | None = None
    mixup: float = 0.0  # probability per batch, [0, 1]; mixup + cutmix <= 1
    cutmix: float = 0.0

    warmup: float | None = None  # share of the steps in which the rate rises from 0, [0, 0.5]; None: the schedule's
    clip: float | None = None  # gradients with a larger norm are scaled down to this norm
    ema: float | None = None  # decay per step of the mean of the weights, which predicts, [0, 1); None: no mean

    # How classes of unequal size are handled. A value that means "no handling" becomes None, so that two configs which
    # train alike compare as equal.
    class_weights: str | None = None  # weight by class size: none, inverse, sqrt_inverse or effective
    balanced: float | None = None  # how far sampling evens out the classes, [0, 1]: 0 not at all, 1 equally often
    loss: str | None = None  # training loss: cross_entropy, focal or logit_adjusted; validation uses cross entropy

    seed: int = 0  # for the first weights, order, augmentation and dropout

    def __post_init__(self) -> None:
        for name, kind in TYPES.items():
            value = _typed(name, getattr(self, name), kind)
            object.__setattr__(self, name, None if value == UNHANDLED.get(name) else value)
        if not user_code.is_reference(self.arch) or user_code.has_run(self.arch):
            family = models.family_of(self.arch)
            self._check_shape(family.shape.keys(), family.optional)
        for rule, (names, holds) in RULES.items():
            self._require(holds(self), rule, *names)
        for name in AUGMENTATIONS + MIXING:
            self._require(0 <= (getattr(self, name) or 0) <= 1, f"0 <= {name} <= 1", name)
        self._require(
            not (self.pipeline and self.augmentation), "pipeline or probabilities, not both", *self.augmentation
        )

    def _check_shape(self, needs: Collection[str], may_have: Collection[str]) -> None:
        """Raises a ConfigError if a shape field is missing, or set although the family does not have it."""
        for name in SHAPE_FIELDS:
            is_set = getattr(self, name) is not None
            if is_set != (name in needs) and name not in may_have:
                rule = "must be set" if name in needs else "must be left out"
                raise ConfigError(f"`{name}` {rule} for arch={self.arch}, got {name}={getattr(self, name)}")

    def _require(self, is_true: bool, rule: str, *names: str) -> None:
        """Raises a ConfigError with the values of the named fields, unless the rule is true."""
        if not is_true:
            values = ", ".join(f"{name}={getattr(self, name)}" for name in names)
            raise ConfigError(f"`{rule}` must hold, got {values}")

    @property
    def augmentation(self) -> dict[str, float]:
        """The augmentations whose probability is above zero, in the order in which they run."""
        return {name: p for name in AUGMENTATIONS if (p := getattr(self, name) or 0) > 0}

    @property
    def own_transforms(self) -> list[str]:
        """The transforms in the pipeline that come from files of the user's, each as FILE.py:CLASS."""
        names: list[object] = []
        with suppress(ValueError, RecursionError):  # an unreadable text is reported where the pipeline is built
            json.loads(self.pipeline or "{}", object_hook=lambda saved: names.append(saved.get("__class_fullname__")))
        return [name for name in names if isinstance(name, str) and user_code.is_reference(name)]

    def from_scratch(self) -> "TrialConfig":
        """Returns the config of the same net without pretrained weights.

        A machine that does not have the weights can build such a net: to measure it, or to load a trial's own weights.
        """
        return dataclasses.replace(self, pretrained=False) if self.pretrained or self.backbone else self

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields that are set, in their order, as they are shown and stored."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def to_json(self) -> str:
        """Returns `to_dict` as JSON, as `config.json` in a trial's folder holds it."""
        return json.dumps(self.to_dict(), indent=1) + "\n"

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> "TrialConfig":
        """Returns the config with these fields; all other fields have their defaults.

        Raises:
          ConfigError: a name is not a field, a value has the wrong type, or a rule is broken.
        """
        for name in values:
            if name not in TYPES:
                raise ConfigError(unknown_name(name, TYPES))
        return TrialConfig(**values)


# For each rule, in words: the fields that it is about, and its check. Every check is written so that NaN fails it too.
RULES: dict[str, tuple[tuple[str, ...], Callable[[TrialConfig], bool]]] = {
    "width > 0": (("width",), lambda config: config.width is None or config.width > 0),
    "1 <= depth <= 8": (("depth",), lambda config: config.depth is None or 1 <= config.depth <= 8),
    "head >= 1": (("head",), lambda config: config.head is None or config.head >= 1),
    "32 <= input_size <= 1024": (
        ("input_size",),
        lambda config: config.input_size is None or 32 <= config.input_size <= 1024,
    ),
    f"pooling in {POOLINGS}": (("pooling",), lambda config: config.pooling in (None, *POOLINGS)),
    'stages as "2-5", "3", or "-2" for the last two': (
        ("stages",),
        lambda config: bool(re.fullmatch(r"[1-9]\d?(-[1-9]\d?)?|-[1-9]\d?", config.stages or "1")),
    ),
    "penalty > 0": (("penalty",), lambda config: config.penalty is None or 0 < config.penalty < math.inf),
    "hidden >= 1": (("hidden",), lambda config: config.hidden is None or config.hidden >= 1),
    "0 <= feature_mixup <= 1": (("feature_mixup",), lambda config: 0 <= (config.feature_mixup or 0) <= 1),
    "frozen_stages >= 0": (("frozen_stages",), lambda config: (config.frozen_stages or 0) >= 0),
    "kept_stages >= 1": (("kept_stages",), lambda config: config.kept_stages is None or config.kept_stages >= 1),
    "0 <= dropout < 1": (("dropout",), lambda config: 0 <= (config.dropout or 0) < 1),
    "0 <= drop_path < 1": (("drop_path",), lambda config: 0 <= (config.drop_path or 0) < 1),
    "0 < layer_decay <= 1": (
        ("layer_decay",),
        lambda config: config.layer_decay is None or 0 < config.layer_decay <= 1,
    ),
    "0 <= warmup <= 0.5": (("warmup",), lambda config: 0 <= (config.warmup or 0) <= 0.5),
    "clip > 0": (("clip",), lambda config: config.clip is None or 0 < config.clip < math.inf),
    "0 <= ema < 1": (("ema",), lambda config: 0 <= (config.ema or 0) < 1),
    f"class_weights in {(*class_weights.WEIGHTS,)}": (
        ("class_weights",),
        lambda config: config.class_weights is None or config.class_weights in class_weights.WEIGHTS,
    ),
    "0 <= balanced <= 1": (("balanced",), lambda config: 0 <= (config.balanced or 0) <= 1),
    f"loss in {(*losses.LOSSES,)}": (("loss",), lambda config: config.loss is None or config.loss in losses.LOSSES),
    f"optimizer in {OPTIMIZERS}": (("optimizer",), lambda config: config.optimizer in OPTIMIZERS),
    f"schedule in {SCHEDULES}": (("schedule",), lambda config: config.schedule in SCHEDULES),
    "lr > 0": (("lr",), lambda config: 0 < config.lr < math.inf),
    "weight_decay >= 0": (("weight_decay",), lambda config: 0 <= config.weight_decay < math.inf),
    "0 <= label_smoothing < 1": (("label_smoothing",), lambda config: 0 <= config.label_smoothing < 1),
    "batch_size >= 2 (batch norm needs two images)": (("batch_size",), lambda config: config.batch_size >= 2),
    "epochs >= 1": (("epochs",), lambda config: config.epochs >= 1),
    "mixup + cutmix <= 1": (MIXING, lambda config: config.mixup + config.cutmix <= 1),
    "0 <= seed < 2**31": (("seed",), lambda config: 0 <= config.seed < 2**31),
}

TYPES = {  # the name of each field's type, by the field's name
    field.name: field.type.__name__ if isinstance(field.type, type) else str(field.type)
    for field in dataclasses.fields(TrialConfig)
}

# The augmentations that are fields, in the order in which they run. Any other transform can stand in a pipeline.
AUGMENTATIONS = tuple(name for name in augment.NAMES if name in TYPES)
# The fields that only some families read. A config must set those that its family requires, may set those that are
# optional there, and must leave out the others.
SHAPE_FIELDS = tuple(name for name in TYPES if any(name in family.fields for family in models.FAMILIES))


def check_field(name: str, value: Any) -> None:
    """Checks that a field can have this value, whatever the other fields are.

    Raises:
      ConfigError: no config can have this value in this field.
    """
    family = next((family for family in models.FAMILIES if name in family.fields), models.FAMILIES[0])
    if name == "arch":
        family = models.family_of(_typed(name, value, "str"))
    config = TrialConfig.from_dict({"arch": family.name, "epochs": 1, **family.shape, name: value})
    if name == "arch":
        models.check(config)


def unknown_name(name: str, names: Mapping[str, Any]) -> str:
    """Returns the message for a hyperparameter that does not exist, with the nearest name that does."""
    matches = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean `{matches[0]}`?" if matches else f"known: {', '.join(names)}"
    return f"unknown hyperparameter `{name}`; {hint}"


def plain_value(value: Any) -> Any:
    """Returns a single number or text of numpy or torch as Python's own type, and any other value unchanged."""
    return value.item() if getattr(value, "shape", None) == () else value


def _typed(name: str, value: Any, kind: str) -> Any:
    """Returns a value in the type of its field; a whole number becomes a float where one is expected.

    Raises:
      ConfigError: it has another type.
    """
    if value is None and kind.endswith(" | None"):
        return None
    value, kind = plain_value(value), kind.removesuffix(" | None")
    if kind == "float" and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if (kind == "int" and isinstance(value, int) and not isinstance(value, bool)) or kind == type(value).__name__:
        return value
    words = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "text"}
    raise ConfigError(f"`{name}` must be {words[kind]}, got {value!r}")
