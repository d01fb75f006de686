"""The runs that were published for the contest from which the default nets come."""

from sweep.storage.sweep_file import Values
from sweep.trainable.weights import resnet18_weights_at_hand

CONTEST = 16, 16, 7  # height, width and number of classes of the contest's data
CONTEST_NOTE = (
    "The images are 16x16 in 7 classes, as those of the contest that the published runs were made for: "
    "these runs come first. --baselines none leaves them out."
)


def _in_space_1() -> dict[str, Values]:
    """Returns the published runs on all images, by name, as parameters of the first default space."""
    common = dict(batch_size=200, p_flip=0.5)
    resnet = "resnet18" if resnet18_weights_at_hand() else "resnet18 from scratch"
    cnn = dict(arch="cnn", width=1.0, depth=2, head=128)
    return {
        "mlp": common
        | dict(arch="mlp", width=1.0, optimizer="sgd", schedule="constant", lr=1e-3, weight_decay=5e-4)
        | dict(batch_size=50, epochs=5),
        "cnn": common | cnn | dict(lr=1e-3, weight_decay=5e-4, epochs=25, p_colour=0.0),
        "cnn-7": cnn | dict(lr=2e-3, weight_decay=8e-4, batch_size=400, epochs=10, p_flip=0.7, p_colour=0.5),
        resnet: common
        | dict(arch="resnet18", optimizer="sgd", schedule="step", lr=1e-3, weight_decay=0.0, epochs=40, p_mix=0.0),
    }


def _in_space_2() -> dict[str, Values]:
    """Returns the published runs on all images, by name, as parameters of the second default space."""
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


POINTS = {1: _in_space_1, 2: _in_space_2}
