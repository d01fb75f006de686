"""The first default space, which must not change because the sweeps that began in it continue in it."""

from sweep.search.spaces.space import Suggests
from sweep.storage.sweep_file import Values
from sweep.trainable.config import TrialConfig
from sweep.trainable.models import family_of
from sweep.trainable.weights import resnet18_weights_at_hand


def suggest(trial: Suggests) -> TrialConfig:
    """Draws a config from a space of 15 parameters, of which a branch has at most 10.

    Ranges are inclusive; `log` is used where good values span decades.

    Related augmentations share a probability. The published architectures keep the transforms that they were published
    with, so the published runs are points of this space.
    """
    arch = trial.suggest_categorical("arch", ["mlp", "cnn", "resnet18", "small_resnet"])
    lr = trial.suggest_float("lr", 1e-4, 1.0, log=True)
    batch_size = trial.suggest_int("batch_size", 50, 400, log=True)
    epochs = trial.suggest_int("epochs", 5, 40)
    flip = trial.suggest_float("p_flip", 0.0, 0.7)
    common: Values = dict(lr=lr, batch_size=batch_size, epochs=epochs, horizontal_flip=flip, vertical_flip=flip)

    if arch == "small_resnet":
        rotation = trial.suggest_float("p_rotate", 0.0, 0.7)
        return TrialConfig(
            arch=arch,
            width=trial.suggest_float("width", 1.0, 4.0, log=True),
            depth=trial.suggest_int("depth", 1, 2),
            optimizer=_optimizer(trial),
            schedule="onecycle",
            weight_decay=5e-4,
            label_smoothing=0.1,
            transpose=flip,
            rotate=rotation,
            shift=rotation,
            cutout=trial.suggest_float("p_cutout", 0.0, 0.7),
            **common,
        )
    common |= dict(rotate=flip, weight_decay=trial.suggest_float("weight_decay", 0.0, 2e-3))
    if arch == "mlp":
        return TrialConfig(
            arch=arch,
            width=trial.suggest_float("width", 1.0, 4.0, log=True),
            optimizer=_optimizer(trial),
            schedule=_schedule(trial),
            **common,
        )
    if arch == "cnn":
        colour = trial.suggest_float("p_colour", 0.0, 0.7)
        return TrialConfig(
            arch=arch,
            width=trial.suggest_float("width", 1.0, 4.0, log=True),
            depth=trial.suggest_int("depth", 1, 2),
            head=trial.suggest_int("head", 32, 512, log=True),
            optimizer="adam",
            schedule="constant",
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
        arch=arch,
        optimizer=_optimizer(trial),
        schedule=_schedule(trial),
        mixup=mixing / 2,
        cutmix=mixing / 2,
        **common,
    )


def _optimizer(trial: Suggests) -> str:
    return trial.suggest_categorical("optimizer", ["sgd", "nesterov", "adam", "adamw"])


def _schedule(trial: Suggests) -> str:
    return trial.suggest_categorical("schedule", ["constant", "step", "cosine", "onecycle"])
