"""The families of architectures, one per file; `Family` in `family.py` is the contract that all of them follow.

To add a family, add its file here and its name to `NAMES`. It can then be asked for with `--fix arch=NAME`; searches
draw it once a new default space names it (`search/spaces/`). Nothing here imports torch: configs are checked without
it.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sweep.storage import user_code
from sweep.storage.errors import ConfigError
from sweep.trainable.models.family import Family

if TYPE_CHECKING:
    from sweep.trainable.config import TrialConfig

NAMES = (  # the last family gets every name that no other family claims
    "mlp",
    "cnn",
    "small_resnet",
    "small_vgg",
    "resnet18",
    "logistic_head",
    "mlp_head",
    "timm_net",
    "torchvision_net",
)
FAMILIES: tuple[Family, ...] = tuple(import_module(f"sweep.trainable.models.{name}").FAMILY for name in NAMES)


def family_of(arch: str) -> Family:
    """Returns the family that builds an architecture, which is a name or an object of the user's as FILE.py:OBJECT.

    Such an object is a `Family`, or a function `build(config, classes, image_size)` that returns a net. The net of a
    function has no shape fields and computes in float32.

    Raises:
      UserError: no command named the file, or the object is neither of the two.
    """
    if not user_code.is_reference(arch):
        matches = (each for each in FAMILIES if each.name == arch or (each.prefix and arch.startswith(each.prefix)))
        return next(matches, FAMILIES[-1])
    candidate = user_code.get(arch)
    if isinstance(candidate, Family):
        return candidate
    if not callable(candidate):
        raise ConfigError(
            f"{arch}: must be a function build(config, classes, image_size) or a Family, got {candidate!r}"
        )
    return Family(arch, {}, candidate, channels_last=False)


def kind_of(config: Mapping[str, Any]) -> str:
    """Returns which kind of model the fields of a config make; models of different kinds make different mistakes.

    The kind is the architecture, and whether it is fine-tuned. All heads of one architecture are of one kind, no
    matter which net's features they read.
    """
    arch = str(config.get("arch", ""))
    return f"{arch}, fine-tuned" if config.get("pretrained") else arch


def is_of_catalogue(arch: str) -> bool:
    """Returns whether an architecture is named with its catalogue, as timm/NAME or torchvision/NAME."""
    prefix = family_of(arch).prefix
    return bool(prefix) and arch.startswith(prefix)


def reads_features(arch: str) -> bool:
    """Returns whether an architecture is a head on the frozen features of a pretrained net, its `backbone`."""
    return "backbone" in family_of(arch).fields


def unread_fields(arch: str) -> frozenset[str]:
    """Returns the fields that every config has but that change nothing for this architecture."""
    return frozenset() if user_code.is_reference(arch) else family_of(arch).unread


def check(config: "TrialConfig") -> None:
    """Checks that the net of a config can be built on this machine.

    Raises:
      ConfigError: there is no such architecture, or something that it needs is not on this machine.
    """
    family_of(config.arch).check(config, [family.name for family in FAMILIES if not family.prefix])
