"""The default space, the runs published for the contest as points in it, and a reference config for each family."""

from typing import Any

from search.spaces.space import Suggests, suggest_multiple
from trainable.config import TrialConfig
from trainable.imagenet import resnet18_weights_at_hand
from trainable.models import family_of

# A rate at which the family trains well with this optimizer, for batches of about 128 images. What is searched is the
# multiple of it, for a good rate of SGD is a hundred times that of Adam.
REFERENCE_RATES = {
    "mlp": {"sgd": 0.02, "nesterov": 0.02, "adam": 1e-3, "adamw": 1e-3},
    "cnn": {"sgd": 0.05, "nesterov": 0.05, "adam": 2e-3, "adamw": 2e-3},
    "resnet18": {"sgd": 0.05, "nesterov": 0.05, "adam": 1e-3, "adamw": 1e-3},
    "small_resnet": {"sgd": 0.1, "nesterov": 0.1, "adam": 3e-3, "adamw": 3e-3},
}


def suggest(trial: Suggests) -> TrialConfig:
    """Returns a config of the default space.

    Ranges are inclusive; `log` where good values span decades. The optimizer and the architecture come first: with
    what every family has, they are one group of parameters, which the sampler models jointly. The published runs are
    points in here.
    """
    arch = trial.suggest_categorical("arch", list(REFERENCE_RATES))
    optimizer = trial.suggest_categorical("optimizer", ["sgd", "nesterov", "adam", "adamw"])
    rates = REFERENCE_RATES.get(arch, REFERENCE_RATES["resnet18"])  # --fix may name any classifier of torchvision
    common: dict[str, Any] = dict(
        arch=arch,
        optimizer=optimizer,
        lr=suggest_multiple(trial, "lr", rates.get(optimizer, 0.1), 0.01, 10),  # TrialConfig refuses another one
        batch_size=trial.suggest_int("batch_size", 50, 400, log=True),
        epochs=trial.suggest_int("epochs", 5, 40),
        label_smoothing=trial.suggest_float("label_smoothing", 0.0, 0.4),
        horizontal_flip=trial.suggest_float("horizontal_flip", 0.0, 0.7),
        vertical_flip=trial.suggest_float("vertical_flip", 0.0, 0.7),
        rotate=trial.suggest_float("rotate", 0.0, 0.7),
        weight_decay=trial.suggest_float("weight_decay", 0.0, 8e-3),
    )
    if arch == "small_resnet":
        return TrialConfig(
            width=trial.suggest_float("width", 1.0, 4.0, log=True),
            depth=trial.suggest_int("depth", 1, 2),
            schedule="onecycle",
            transpose=trial.suggest_float("transpose", 0.0, 0.7),
            shift=trial.suggest_float("shift", 0.0, 0.7),
            cutout=trial.suggest_float("cutout", 0.0, 0.7),
            **common,
        )
    common |= dict(schedule=_schedule(trial))
    if arch == "mlp":
        return TrialConfig(width=trial.suggest_float("width", 1.0, 4.0, log=True), **common)
    if arch == "cnn":
        colour = trial.suggest_float("p_colour", 0.0, 0.7)
        return TrialConfig(
            width=trial.suggest_float("width", 1.0, 4.0, log=True),
            depth=trial.suggest_int("depth", 1, 2),
            head=trial.suggest_int("head", 32, 512, log=True),
            gauss_noise=0.8 * colour,  # .4 beside .5, as published
            emboss=colour,
            hue_saturation_value=colour,
            channel_shuffle=colour,
            **common,
        )
    common |= family_of(arch).shape  # --fix may name any family; its net has the published size
    if arch == "resnet18":  # a 3x3 stem costs ten times as much an epoch: --fix small_stem=true
        common["pretrained"] = resnet18_weights_at_hand()
    mixing = trial.suggest_float("p_mix", 0.0, 0.7)
    return TrialConfig(
        mixup=mixing / 2,
        cutmix=mixing / 2,
        **common,
    )


def _schedule(trial: Suggests) -> str:
    return trial.suggest_categorical("schedule", ["constant", "step", "cosine", "onecycle"])


def published() -> dict[str, dict[str, Any]]:
    """Returns the published runs on all images, by name, as parameters of this space."""
    flips = dict(horizontal_flip=0.5, vertical_flip=0.5, rotate=0.5, label_smoothing=0.0, batch_size=200)
    cnn = dict(arch="cnn", width=1.0, depth=2, head=128, optimizer="adam", schedule="constant")
    resnet = "resnet18" if resnet18_weights_at_hand() else "resnet18 from scratch"
    return {
        "mlp": flips
        | dict(arch="mlp", width=1.0, optimizer="sgd", schedule="constant", lr=1e-3, weight_decay=5e-4)
        | dict(batch_size=50, epochs=5),
        "cnn": flips | cnn | dict(lr=1e-3, weight_decay=5e-4, epochs=25, p_colour=0.0),
        "cnn-7": flips
        | cnn
        | dict(lr=2e-3, weight_decay=8e-4, batch_size=400, epochs=10, p_colour=0.5)
        | dict(horizontal_flip=0.7, vertical_flip=0.7, rotate=0.7),
        resnet: flips
        | dict(arch="resnet18", optimizer="sgd", schedule="step", lr=1e-3, weight_decay=0.0, epochs=40, p_mix=0.0),
    }


def references() -> dict[str, dict[str, Any]]:
    """Returns a config of each family that is known to train well, by family, as parameters of this space."""
    common = dict(lr_multiple=1.0, batch_size=128, horizontal_flip=0.5, vertical_flip=0.0, rotate=0.0)
    smooth, plain = dict(label_smoothing=0.25, epochs=25), dict(label_smoothing=0.1, epochs=20, schedule="onecycle")
    return {
        "small_resnet": common
        | smooth
        | dict(arch="small_resnet", optimizer="nesterov", width=4.0, depth=1, weight_decay=5e-3)
        | dict(transpose=0.0, shift=0.6, cutout=0.3),
        "resnet18": common
        | plain
        | dict(arch="resnet18", optimizer="nesterov", weight_decay=5e-4, p_mix=0.3)
        | dict(lr_multiple=0.2 if resnet18_weights_at_hand() else 1.0),
        "cnn": common
        | plain
        | dict(arch="cnn", optimizer="adam", width=4.0, depth=2, head=256, weight_decay=5e-4, p_colour=0.0),
        "mlp": common | plain | dict(arch="mlp", optimizer="adam", width=4.0, weight_decay=5e-4),
    }
