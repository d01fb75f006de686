"""Where torchvision keeps ImageNet weights; torch is not imported, so that the search space can ask at no cost."""

import os
from pathlib import Path

RESNET18_FILE = "resnet18-f37072fd.pth"


def weights_folder() -> Path:
    """The folder `torch.hub` downloads to; see https://docs.pytorch.org/docs/stable/hub.html#where-are-my-downloaded-models-saved."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    # Not `Path.expanduser`, which raises for a user without a home, as in a container under a random number.
    return Path(os.path.expanduser(os.environ.get("TORCH_HOME", f"{cache}/torch"))) / "hub" / "checkpoints"


def resnet18_weights_at_hand() -> bool:
    return (weights_folder() / RESNET18_FILE).exists()
