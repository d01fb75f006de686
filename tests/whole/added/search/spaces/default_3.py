from sweep.trainable.config import TrialConfig
from sweep.trainable.models import family_of


def suggest(trial):
    arch = trial.suggest_categorical("arch", ["mlp", "cnn"])
    lr = trial.suggest_float("lr", 1e-3, 1e-1, log=True)
    return TrialConfig(arch=arch, lr=lr, epochs=trial.suggest_int("epochs", 2, 3), **family_of(arch).shape)
