"""The second default space, which must not change because the sweeps that began in it continue in it."""

from sweep.search.spaces.space import Suggests, suggest_multiple
from sweep.storage.sweep_file import Values
from sweep.trainable.config import TrialConfig
from sweep.trainable.models import family_of
from sweep.trainable.weights import resnet18_weights_at_hand

# The learning rate at which each family trains well with each optimizer, for batches of about 128 images. The space
# searches a multiple of it, because a good rate for SGD is up to fifty times a good rate for Adam.
REFERENCE_RATES = {
    "mlp": {"sgd": 0.02, "nesterov": 0.02, "adam": 1e-3, "adamw": 1e-3},
    "cnn": {"sgd": 0.05, "nesterov": 0.05, "adam": 2e-3, "adamw": 2e-3},
    "resnet18": {"sgd": 0.05, "nesterov": 0.05, "adam": 1e-3, "adamw": 1e-3},
    "small_resnet": {"sgd": 0.1, "nesterov": 0.1, "adam": 3e-3, "adamw": 3e-3},
}


def suggest(trial: Suggests) -> TrialConfig:
    """Draws a config of the second default space.

    Ranges are inclusive; `log` is used where good values span decades. The architecture, the optimizer and the
    parameters that every family has are drawn first: they form one group of parameters, which the sampler models
    jointly. The published runs are points of this space.
    """
    arch = trial.suggest_categorical("arch", list(REFERENCE_RATES))
    optimizer = trial.suggest_categorical("optimizer", ["sgd", "nesterov", "adam", "adamw"])
    rates = REFERENCE_RATES.get(arch, REFERENCE_RATES["resnet18"])  # --fix may name any classifier of torchvision
    common: Values = dict(
        arch=arch,
        optimizer=optimizer,
        lr=suggest_multiple(trial, "lr", rates.get(optimizer, 0.1), 0.01, 10),  # 0.1: TrialConfig refuses others
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
            gauss_noise=0.8 * colour,  # 0.4 if the others are 0.5, as published
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
