"""The families of architectures, one a file; what they have in common is the contract `Family`.

To add one is to add its file and its name to the tuple. Nothing here imports torch: configs are checked without it.
"""

from typing import TYPE_CHECKING

from storage import user_code
from storage.errors import ConfigError
from trainable.models import cnn, mlp, resnet18, small_resnet, small_vgg, torchvision_net
from trainable.models.family import Family

if TYPE_CHECKING:
    from trainable.config import TrialConfig

FAMILIES = (mlp.FAMILY, cnn.FAMILY, small_resnet.FAMILY, small_vgg.FAMILY, resnet18.FAMILY)
OTHERS = torchvision_net.FAMILY  # any other name is one of its architectures, or of none


def family_of(arch: str) -> Family:
    """Returns the family that builds an architecture: by its name, or an object of the user's, FILE.py:OBJECT.

    Such an object is a Family, or a function `build(config, classes, image_size)` that returns a net. The net of a
    function reads no shape fields and computes in float32.

    Raises:
      UserError: no command named the file, or the object is neither.
    """
    if not user_code.is_reference(arch):
        return next((family for family in FAMILIES if family.name == arch), OTHERS)
    found = user_code.get(arch)
    if isinstance(found, Family):
        return found
    if not callable(found):
        raise ConfigError(f"{arch}: must be a function build(config, classes, image_size) or a Family, got {found!r}")
    return Family(arch, {}, found, channels_last=False, waits=True)


def check(config: "TrialConfig") -> None:
    """Raises:
    ConfigError: there is no such architecture, or what it needs is not on this machine.
    """
    family_of(config.arch).check(config, [family.name for family in FAMILIES])
