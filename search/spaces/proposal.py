"""Chooses by the data what the command leaves open: the space, its pretrained nets, and the size of the images."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.search import spaces
from sweep.storage import user_code
from sweep.storage.errors import ConfigError
from sweep.storage.sweep_file import Settings
from sweep.trainable.config import UNHANDLED
from sweep.trainable.models import is_of_catalogue, reads_features
from sweep.trainable.weights import all_at_hand as all_at_hand

if TYPE_CHECKING:
    import numpy as np

    from sweep.datasets.headers import Headers

TINY, PHOTOS, HEADS = "tiny", "photos", "heads"
LARGEST_TINY = 64  # px
MOST_BACKBONES = 8  # if the user names none; each net costs a pass over all images, and trials
UNEQUAL_TIMES = 3  # classes are unequal if the largest has more than this many times the images of the smallest
MOST_ON_A_CPU = 20_000  # training images above 64 px; with more, an epoch of fine-tuning takes hours on a CPU


def propose(
    settings: Settings, at_hand: Callable[[], Sequence[str]], headers: Callable[[], "Headers"], has_gpu: bool
) -> tuple[Settings, list[str]]:
    """Returns the settings of a new search with everything chosen that they left open, and a sentence on each choice.

    Args:
      at_hand: finds the pretrained nets whose weights are on this machine.
      headers: reads the headers of the images. This and `at_hand` are called only if a choice depends on them.
      has_gpu: whether trials may run on a GPU.

    Raises:
      ConfigError: the space is made for pretrained nets, and there is none.
    """
    name, notes = settings.space, list[str]()
    if name is not None and user_code.is_reference(name):
        return settings, notes
    nets = [settings.fixed[field] for field in ("arch", "backbone") if field in settings.fixed]
    arch = settings.fixed.get("arch")
    if name is None and arch and not is_of_catalogue(arch) and not reads_features(arch):
        name = spaces.DEFAULT
        notes.append(f"The default space is searched, nets from scratch, for --fix arch={arch} is one.")
    if name is not None and not spaces.uses_backbones(name):
        return replace(settings, space=name, backbones=None), notes
    backbones = settings.backbones or [net for net in nets if is_of_catalogue(net)] or [*at_hand()][:MOST_BACKBONES]
    if name is None and not backbones:
        name = spaces.DEFAULT
        notes.append(
            "The default space is searched, nets from scratch, for no weights of a pretrained net are at hand; "
            "--backbones timm/NAME fetches some, and --weights FILE takes a file."
        )
        return replace(settings, space=name), notes
    if name is None:
        name, reason = _space_for_data(headers(), has_gpu)
        notes.append(f"The space `{name}` is searched, for {reason}; --space {'|'.join(spaces.NAMES)} chooses another.")
    if not backbones:
        raise ConfigError(
            f"--space {name}: is made for pretrained nets, and no weights of one are on this machine; --backbones "
            "timm/NAME,torchvision/NAME fetches them, or --weights FILE names a file"
        )
    notes.append(f"Pretrained nets: {', '.join(backbones)}; --backbones NAME,NAME chooses others.")
    settings = replace(settings, space=name, backbones=backbones)
    largest = spaces.largest_side(name)
    if settings.data_options.image_size is None and largest and (side := headers().side) > LARGEST_TINY < largest:
        new_side = min(side, largest)
        options = replace(settings.data_options, image_size=new_side)
        settings = replace(settings, data_options=options)
        notes.append(f"Images are kept at {new_side}x{new_side} px; --image-size sets another size.")
    return settings, notes


def imbalance(fixed: Mapping[str, Any], counts: "np.ndarray") -> int | None:
    """Returns the number of the addition to search because the classes are unequal, if it is needed.

    Args:
      fixed: the values of `--fix`.
      counts: (classes,) the number of training images of each class.

    Returns:
      None if the classes are about equal, or if `--fix` sets all of the addition's fields.
    """
    is_fixed = UNHANDLED.keys() <= fixed.keys()
    return spaces.NEWEST_IMBALANCE if counts.max() > UNEQUAL_TIMES * counts.min() and not is_fixed else None


def _space_for_data(headers: "Headers", has_gpu: bool) -> tuple[str, str]:
    """Returns the name of the space that suits the data, and the reason in words."""
    if headers.side <= LARGEST_TINY:
        return TINY, f"the images have up to {LARGEST_TINY} px"
    if not has_gpu and headers.train > MOST_ON_A_CPU:
        return HEADS, f"there is no GPU to fine-tune nets on {headers.train:,} images of {headers.side} px"
    return PHOTOS, f"the images have {headers.side} px"


def has_gpu_here(address: str | None, gpus_per_trial: float | None) -> bool:
    """Returns whether trials may run on a GPU of this machine or of a cluster, whose nodes are not known yet."""
    return gpus_per_trial != 0 and (address is not None or any(Path("/dev").glob("nvidia[0-9]*")))
