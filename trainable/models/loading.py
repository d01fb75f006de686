"""What the nets of both catalogues have in common.

It puts weights from elsewhere into a net, and says by name what does not fit where they are another net's.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from sweep.storage.errors import ConfigError
from sweep.trainable.models.family import Config, Family, Net, Preprocessing
from sweep.trainable.models.known import known

if TYPE_CHECKING:
    from torch import Tensor

SHOWN = 3  # names of weights in a message
# What the nets of both catalogues may be given.
FIELDS = frozenset(
    ["input_size", "center_crop", "frozen_stages", "kept_stages", "head_start", "dropout", "drop_path", "layer_decay"]
)


def catalogue(
    name: str,
    prefix: str,
    build: Callable[[Config, int, tuple[int, int]], Net],
    preprocessing: Callable[[Config], Preprocessing],
    check: Callable[[Config, Sequence[str]], None],
) -> Family:
    """Returns the family of all nets of a library."""
    return Family(
        name,
        {"pretrained": False},
        build,
        # On a CPU convolutions of one channel each lose more to bf16, which is slow for their step back, than it wins.
        bf16=frozenset({"cuda"}),
        optional=FIELDS,
        prefix=prefix,
        preprocessing=preprocessing,
        check=check,
    )


def preprocessing_of(config: Config, find: Callable[[], dict[str, Any]]) -> Preprocessing:
    """Returns how a net of a library takes pixels, by what the library says of its weights; it is asked once."""
    return Preprocessing.read(known({"preprocessing": config.arch}, find), bool(config.center_crop))


def load(arch: str, net: Net, state: Mapping[str, "Tensor"], last: str) -> None:
    """Loads weights into a net, but for those of its last layer where they are of another number of classes.

    Args:
      last: the name of the last layer.

    Raises:
      ConfigError: they are the weights of another net.
    """
    own: Any = net.state_dict()
    weight = f"{last}.weight"
    kept: Any = dict(state)
    if weight in kept and kept[weight].shape[:1] != own[weight].shape[:1]:
        kept = {name: tensor for name, tensor in kept.items() if not name.startswith(f"{last}.")}
    # The version of the net alone: layers of an older version are known to torch and torchvision by having none.
    kept = type(own)(kept)
    kept._metadata = {"": own._metadata[""]}
    with recorded() as loaded:
        told(arch, lambda: net.load_state_dict(kept, strict=False))
    check(arch, loaded, [last] if weight not in kept else [])


@contextmanager
def recorded() -> Iterator[list[Any]]:
    """Yields a list in which torch's account of each load in the block will stand: what was missing, what too much.

    The library that builds a net may load its weights leniently, for a last layer of other classes is left out.
    """
    from torch import nn

    load_state_dict = nn.Module.load_state_dict
    accounts: list[Any] = []

    def leniently(net: Net, state: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        accounts.append(load_state_dict(net, state, strict=False, assign=assign))
        return accounts[-1]

    with patch.object(nn.Module, "load_state_dict", leniently):
        yield accounts


def told(arch: str, load: Callable[[], Any]) -> Any:
    """Calls a function that loads weights into the net `arch`, and returns what it returns.

    Raises:
      ConfigError: the weights have other shapes than the net, or the library cannot make anything of them.
    """
    try:
        return load()
    except ConfigError:
        raise
    except Exception as error:  # torch tells each shape on a line of its own; a library's filter raises what it likes
        lines = [line.strip() for line in str(error).splitlines() if "size mismatch" in line] or [repr(error)]
        raise refusal(arch, "; ".join(lines[:SHOWN]) + _more(lines)) from error


def check(arch: str, accounts: Sequence[Any], may_lack: Sequence[str]) -> None:
    """Checks what was loaded.

    Args:
      accounts: of `recorded`.
      may_lack: the names of layers that need not be among the weights, nor be in the net.

    Raises:
      ConfigError: a weight of the net was missing, or one was given that it does not have.
    """

    def counts(name: str) -> bool:
        # Batch norm's counter is in no old file, and nothing reads it.
        return not name.endswith("num_batches_tracked") and not any(name.startswith(f"{part}.") for part in may_lack)

    missing = [name for account in accounts for name in account.missing_keys if counts(name)]
    others = [name for account in accounts for name in account.unexpected_keys if counts(name)]
    parts = [("lack", missing), ("hold", others)]
    found = [f"they {verb} {', '.join(names[:SHOWN])}{_more(names)}" for verb, names in parts if names]
    if found:
        raise refusal(arch, ", and ".join(found))


def refusal(arch: str, found: str) -> ConfigError:
    return ConfigError(f"the weights for arch={arch} are those of another net: {found}")


def kept(config: Config, net: Net, classes: int, input_size: tuple[int, int]) -> Net:
    """Returns the net with the stages that the config keeps."""
    if config.kept_stages is None:
        return net
    import torch

    from sweep.trainable.models.cut import cut

    return cut(net, config.kept_stages, classes, torch.zeros(1, 3, *input_size), config.dropout)


def _more(names: Sequence[str]) -> str:
    return f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
