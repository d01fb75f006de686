"""timm: the weights of its nets, which its clients, huggingface_hub and torch.hub, fetch and store."""

import difflib
import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.trainable.weights import cache, reader, torch_hub
from sweep.trainable.weights.contract import UNKNOWN, Library, Say, Weights, WeightsError, WeightsSource
from sweep.trainable.weights.failures import cannot_fetch, fetching, shown

if TYPE_CHECKING:
    from torch import Tensor

PREFIX = "timm/"
FILES = ("model.safetensors", "pytorch_model.bin")  # in a repository, in the order in which timm asks for them
SHA256 = re.compile(r"[0-9a-f]{64}")


def hub_folder() -> Path:
    """Returns the folder in which huggingface_hub stores files, without importing it, which takes a while."""
    home = os.environ.get("HF_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "huggingface")
    hub = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or os.path.join(home, "hub")
    return Path(os.path.expanduser(os.path.expandvars(hub)))


def nets() -> Iterator[str]:
    """Yields the nets whose weights are in the folder of huggingface_hub."""
    for file in FILES:
        for path in sorted(hub_folder().glob(f"models--timm--*/snapshots/*/{file}")):
            yield PREFIX + path.parents[2].name.removeprefix("models--timm--")


def find(arch: str) -> Weights | None:
    """Returns the weights of a net from the clients' folders, or None; imports timm only if a file may be there."""
    name = arch.removeprefix(PREFIX)
    if name == arch or not (any(hub_folder().glob(f"models--*--{name}*")) or torch_hub.files_of(name)):
        return None
    return cached(arch)


def cached(arch: str) -> Weights | None:
    """Returns the weights of a net from the folder of huggingface_hub or of torch.hub, or None."""
    record = _record_of(arch.removeprefix(PREFIX))
    path = record and (_in_hub(record) or _in_torch_hub(record))
    return _weights(arch, record, path) if path else None


def serves(arch: str) -> bool:
    """Returns whether timm has a net of this name."""
    return bool(_record_of(arch.removeprefix(PREFIX)))


def fetch(arch: str, say: Say) -> Weights:
    """Fetches the weights of a net from where timm's record says.

    Raises:
      WeightsError: there is no such net, it has no weights, or they cannot be fetched.
    """
    record = _record_of(arch.removeprefix(PREFIX))
    if not record or not (record.hf_hub_id or record.url):
        hint = "give a file with --weights" if record else _nearest(arch.removeprefix(PREFIX))
        raise WeightsError(f"{arch}: timm has no {'weights for it' if record else 'such net'}; {hint}")
    path = (
        _fetch_from_hub(arch, record, say)
        if record.hf_hub_id
        else torch_hub.fetch(arch, record.url, record.license or UNKNOWN, say)
    )
    return _weights(arch, record, path)


def read(weights: Weights) -> "dict[str, Tensor]":
    """Returns the tensors of weights, after their file was compared with the sha256 in its name."""
    torch_hub.check(weights.path, weights.sha256)
    return reader.read(weights.path)


def _weights(arch: str, record: Any, path: Path) -> Weights:
    """Returns the description of weights that lie in a file."""
    if record.hf_hub_id:
        source, blob = f"timm, {_host()}/{record.hf_hub_id}", path.resolve().name
        # The name of a blob is its sha256; `weights.keep` compares that with the content before anything is read.
        digest = blob if SHA256.fullmatch(blob) else cache.sha256_of(path)
    else:
        source, digest = f"timm, {record.url}", cache.sha256_of(path)
    return Weights(arch, source, digest, record.license or UNKNOWN, path, SOURCE.name)


def _record_of(name: str) -> Any:
    """Returns timm's record of a net's weights, for a name with or without a tag; None if there is no such net."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"  # huggingface_hub reads it when it is imported
    from timm.models import get_pretrained_cfg, is_model

    with suppress(RuntimeError):  # the net exists, but the tag after its name does not
        return get_pretrained_cfg(name) if is_model(name) else None
    return None


def _nearest(name: str) -> str:
    """Returns a hint with the names of timm's nets that are most similar."""
    from timm import list_models

    matches = difflib.get_close_matches(name, [*list_models(), *list_models(pretrained=True)], n=3)
    return (
        f"did you mean {', '.join(PREFIX + each for each in matches)}?" if matches else "timm.list_models() lists them"
    )


def _in_hub(record: Any) -> Path | None:
    """Returns the file of the weights in the folder of huggingface_hub, or None."""
    if not record.hf_hub_id:
        return None
    from huggingface_hub import try_to_load_from_cache

    repository, revision = _repository(record)
    paths = [try_to_load_from_cache(repository, file, hub_folder(), revision) for file in FILES]
    return next((Path(path) for path in paths if isinstance(path, str)), None)


def _in_torch_hub(record: Any) -> Path | None:
    """Returns the file of the weights in the folder of torch.hub, if timm fetches them from an address, or None."""
    path = torch_hub.path_of(record.url) if record.url and not record.hf_hub_id else None
    return path if path and path.is_file() else None


def _fetch_from_hub(arch: str, record: Any, say: Say) -> Path:
    """Fetches weights with huggingface_hub, and checks their sha256 if the server names one."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError
    from huggingface_hub.utils import disable_progress_bars

    if not sys.stderr.isatty():
        disable_progress_bars()
    repository, revision = _repository(record)
    place = f"{_host()}/{repository}"
    options: dict[str, Any] = {"revision": revision, "endpoint": os.environ.get("HF_ENDPOINT") or None}
    with cannot_fetch(arch, place):
        for file in FILES:
            try:
                metadata = get_hf_file_metadata(hf_hub_url(repository, file, **options))
                break
            except EntryNotFoundError:
                if file == FILES[-1]:
                    raise
        say(fetching(arch, metadata.size or 0, record.license or UNKNOWN, place, hub_folder()))
        path = Path(hf_hub_download(repository, file, cache_dir=hub_folder(), **options))
    if SHA256.fullmatch(metadata.etag or "") and (digest := cache.sha256_of(path)) != metadata.etag:
        path.resolve().unlink()
        path.unlink(missing_ok=True)
        raise WeightsError(
            f"{arch}: what {place} sent has the sha256 {digest}, and not {metadata.etag}, which it promises; nothing "
            "of it is kept, run the same command again"
        )
    return path


def _repository(record: Any) -> tuple[str, str | None]:
    """Returns the name of the repository, and its revision or None."""
    name, _, revision = record.hf_hub_id.partition("@")
    return name, revision or None


def _host() -> str:
    return shown(os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


SOURCE = WeightsSource("timm", find, nets, read)
LIBRARY = Library(PREFIX, serves, cached, fetch)
