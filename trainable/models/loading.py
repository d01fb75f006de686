"""The common part of the nets of both catalogues, timm and torchvision.

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
    net_state: Any = net.state_dict()
    last_weight = f"{last}.weight"
    new_state: Any = dict(state)
    if last_weight in new_state and new_state[last_weight].shape[:1] != net_state[last_weight].shape[:1]:
        new_state = {name: tensor for name, tensor in new_state.items() if not name.startswith(f"{last}.")}
    # Only the version of the whole net is given: torch and torchvision recognise weights of older layers by their
    # having no version.
    new_state = type(net_state)(new_state)
    new_state._metadata = {"": net_state._metadata[""]}
    with recorded() as results:
        load_or_explain(arch, lambda: net.load_state_dict(new_state, strict=False))
    check(arch, results, [last] if last_weight not in new_state else [])


@contextmanager
def recorded() -> Iterator[list[Any]]:
    """Yields a list that collects the result of each `load_state_dict` in the block: its missing and unexpected names.

    Within the block every load is lenient: missing or unexpected names do not raise. The library that builds the net
    may load its weights leniently too, because it leaves out a last layer for other classes.
    """
    from torch import nn

    load_state_dict = nn.Module.load_state_dict
    results: list[Any] = []

    def leniently(net: Net, state: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        results.append(load_state_dict(net, state, strict=False, assign=assign))
        return results[-1]

    with patch.object(nn.Module, "load_state_dict", leniently):
        yield results


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


def check(arch: str, results: Sequence[Any], may_lack: Sequence[str]) -> None:
    """Checks that the weights fitted the net.

    Args:
      results: the list that `recorded` yielded.
      may_lack: the names of layers that may be missing among the weights, and in the net.

    Raises:
      ConfigError: a weight of the net was missing, or the net does not have a weight that was given.
    """

    def counts(name: str) -> bool:
        # Old files lack batch norm's counter, and nothing reads it.
        return not name.endswith("num_batches_tracked") and not any(name.startswith(f"{part}.") for part in may_lack)

    missing = [name for result in results for name in result.missing_keys if counts(name)]
    unexpected = [name for result in results for name in result.unexpected_keys if counts(name)]
    parts = [("lack", missing), ("hold", unexpected)]
    problems = [f"they {verb} {', '.join(names[:SHOWN])}{_more(names)}" for verb, names in parts if names]
    if problems:
        raise refusal(arch, ", and ".join(problems))


def refusal(arch: str, problem: str) -> ConfigError:
    """Returns the error for weights of another net; `problem` says what does not fit."""
    return ConfigError(f"the weights for arch={arch} are those of another net: {problem}")


def cut_to_stages(config: Config, net: Net, classes: int, input_size: tuple[int, int]) -> Net:
    """Returns the net with only the stages that the config keeps."""
    if config.kept_stages is None:
        return net
    import torch

    from sweep.trainable.models.cut import cut

    return cut(net, config.kept_stages, classes, torch.zeros(1, 3, *input_size), config.dropout)


def _more(names: Sequence[str]) -> str:
    return f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
