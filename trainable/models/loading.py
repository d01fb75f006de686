"""What the nets of both catalogues, timm and torchvision, have in common.

It loads pretrained weights into a net, and names what does not fit if they belong to another net.
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

SHOWN = 3  # how many names of weights a message lists
# The optional fields for the nets of both catalogues.
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
        # Not on a CPU: there the backward pass of depthwise convolutions is so slow in bf16 that nothing is gained.
        bf16=frozenset({"cuda"}),
        optional=FIELDS,
        prefix=prefix,
        preprocessing=preprocessing,
        check=check,
    )


def preprocessing_of(config: Config, find: Callable[[], dict[str, Any]]) -> Preprocessing:
    """Returns how a net of a library takes pixels, as the library records it for the weights.

    Args:
      find: asks the library; it is called once per machine.
    """
    return Preprocessing.read(known({"preprocessing": config.arch}, find), bool(config.center_crop))


def load(arch: str, net: Net, state: Mapping[str, "Tensor"], last: str) -> None:
    """Loads weights into a net; those of the last layer are left out if they are for another number of classes.

    Args:
      last: the name of the last layer.

    Raises:
      ConfigError: the weights belong to another net.
    """
    own: Any = net.state_dict()
    weight = f"{last}.weight"
    kept: Any = dict(state)
    if weight in kept and kept[weight].shape[:1] != own[weight].shape[:1]:
        kept = {name: tensor for name, tensor in kept.items() if not name.startswith(f"{last}.")}
    # Only the version of the whole net is given: torch and torchvision recognise weights of older layers by their
    # having no version.
    kept = type(own)(kept)
    kept._metadata = {"": own._metadata[""]}
    with recorded() as loaded:
        load_or_explain(arch, lambda: net.load_state_dict(kept, strict=False))
    check(arch, loaded, [last] if weight not in kept else [])


@contextmanager
def recorded() -> Iterator[list[Any]]:
    """Yields a list that collects the result of each `load_state_dict` in the block: its missing and unexpected names.

    Within the block every load is lenient: missing or unexpected names do not raise. The library that builds the net
    may load its weights leniently too, because it leaves out a last layer for other classes.
    """
    from torch import nn

    load_state_dict = nn.Module.load_state_dict
    accounts: list[Any] = []

    def leniently(net: Net, state: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        accounts.append(load_state_dict(net, state, strict=False, assign=assign))
        return accounts[-1]

    with patch.object(nn.Module, "load_state_dict", leniently):
        yield accounts


def load_or_explain(arch: str, load: Callable[[], Any]) -> Any:
    """Calls a function that loads weights into the net `arch`, and returns its result.

    Raises:
      ConfigError: the weights have other shapes than the net, or the library cannot use them.
    """
    try:
        return load()
    except ConfigError:
        raise
    except Exception as error:  # torch lists each shape on a line; libraries raise other kinds of errors
        lines = [line.strip() for line in str(error).splitlines() if "size mismatch" in line] or [repr(error)]
        raise refusal(arch, "; ".join(lines[:SHOWN]) + _more(lines)) from error


def check(arch: str, accounts: Sequence[Any], may_lack: Sequence[str]) -> None:
    """Checks that the weights fitted the net.

    Args:
      accounts: the list that `recorded` yielded.
      may_lack: the names of layers that may be missing among the weights, and in the net.

    Raises:
      ConfigError: a weight of the net was missing, or the net does not have a weight that was given.
    """

    def counts(name: str) -> bool:
        # Old files lack batch norm's counter, and nothing reads it.
        return not name.endswith("num_batches_tracked") and not any(name.startswith(f"{part}.") for part in may_lack)

    missing = [name for account in accounts for name in account.missing_keys if counts(name)]
    others = [name for account in accounts for name in account.unexpected_keys if counts(name)]
    parts = [("lack", missing), ("hold", others)]
    found = [f"they {verb} {', '.join(names[:SHOWN])}{_more(names)}" for verb, names in parts if names]
    if found:
        raise refusal(arch, ", and ".join(found))


def refusal(arch: str, found: str) -> ConfigError:
    """Returns the error for weights of another net; `found` says what does not fit."""
    return ConfigError(f"the weights for arch={arch} are those of another net: {found}")


def cut_to_stages(config: Config, net: Net, classes: int, input_size: tuple[int, int]) -> Net:
    """Returns the net with only the stages that the config keeps."""
    if config.kept_stages is None:
        return net
    import torch

    from sweep.trainable.models.cut import cut

    return cut(net, config.kept_stages, classes, torch.zeros(1, 3, *input_size), config.dropout)


def _more(names: Sequence[str]) -> str:
    return f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
