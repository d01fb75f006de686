"""One config of each family that trains well; these run first, so that no family is judged by an unlucky draw."""

from collections.abc import Callable

from sweep.storage.sweep_file import Values
from sweep.trainable.weights import resnet18_weights_at_hand


def _in_space_2() -> dict[str, Values]:
    """Returns a config that trains well for each family, by its name, as parameters of the second default space."""
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


POINTS: dict[int, Callable[[], dict[str, Values]]] = {1: dict, 2: _in_space_2}  # the first space has none
