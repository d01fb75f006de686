"""timm: the weights of its nets, which its clients, huggingface_hub and torch.hub, fetch and keep."""

import difflib
import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.trainable.weights import kept, reader, torch_hub
from sweep.trainable.weights.contract import UNKNOWN, Library, Say, Source, Weights, WeightsError
from sweep.trainable.weights.failures import cannot_fetch, fetching, shown

if TYPE_CHECKING:
    from torch import Tensor

PREFIX = "timm/"
FILES = ("model.safetensors", "pytorch_model.bin")  # of a repository, in the order in which timm asks for them
SHA256 = re.compile(r"[0-9a-f]{64}")


def hub_folder() -> Path:
    """Returns where huggingface_hub keeps what it fetches; known without its import, which takes a while."""
    home = os.environ.get("HF_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "huggingface")
    hub = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or os.path.join(home, "hub")
    return Path(os.path.expanduser(os.path.expandvars(hub)))


def nets() -> Iterator[str]:
    for file in FILES:
        for path in sorted(hub_folder().glob(f"models--timm--*/snapshots/*/{file}")):
            yield PREFIX + path.parents[2].name.removeprefix("models--timm--")


def find(arch: str) -> Weights | None:
    name = arch.removeprefix(PREFIX)
    if name == arch or not (any(hub_folder().glob(f"models--*--{name}*")) or torch_hub.files_of(name)):
        return None
    return cached(arch)


def cached(arch: str) -> Weights | None:
    served = _served(arch.removeprefix(PREFIX))
    path = served and (_in_hub(served) or _in_torch_hub(served))
    return _weights(arch, served, path) if path else None


def has(arch: str) -> bool:
    return bool(_served(arch.removeprefix(PREFIX)))


def fetch(arch: str, say: Say) -> Weights:
    served = _served(arch.removeprefix(PREFIX))
    if not served or not (served.hf_hub_id or served.url):
        way_out = "give a file with --weights" if served else _nearest(arch.removeprefix(PREFIX))
        raise WeightsError(f"{arch}: timm has no {'weights for it' if served else 'such net'}; {way_out}")
    path = (
        _fetch_of_hub(arch, served, say)
        if served.hf_hub_id
        else torch_hub.fetch(arch, served.url, served.license or UNKNOWN, say)
    )
    return _weights(arch, served, path)


def read(weights: Weights) -> "dict[str, Tensor]":
    torch_hub.check(weights.path, weights.sha256)
    return reader.read(weights.path)


def _weights(arch: str, served: Any, path: Path) -> Weights:
    if served.hf_hub_id:
        source, blob = f"timm, {_host()}/{served.hf_hub_id}", path.resolve().name
        # A blob has its sha256 as its name; whether it is true is looked at when the file is read.
        digest = blob if SHA256.fullmatch(blob) else kept.sha256_of(path)
    else:
        source, digest = f"timm, {served.url}", kept.sha256_of(path)
    return Weights(arch, source, digest, served.license or UNKNOWN, path, SOURCE.name)


def _served(name: str) -> Any:
    """Returns what timm knows of the weights of a net, with or without a tag; None where there is no such net."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"  # read by huggingface_hub as it is imported
    from timm.models import get_pretrained_cfg, is_model

    with suppress(RuntimeError):  # the net is there, the tag behind its name is none
        return get_pretrained_cfg(name) if is_model(name) else None
    return None


def _nearest(name: str) -> str:
    from timm import list_models

    near = difflib.get_close_matches(name, [*list_models(), *list_models(pretrained=True)], n=3)
    return f"did you mean {', '.join(PREFIX + each for each in near)}?" if near else "timm.list_models() lists them"


def _in_hub(served: Any) -> Path | None:
    if not served.hf_hub_id:
        return None
    from huggingface_hub import try_to_load_from_cache

    repository, revision = _repository(served)
    paths = [try_to_load_from_cache(repository, file, hub_folder(), revision) for file in FILES]
    return next((Path(path) for path in paths if isinstance(path, str)), None)


def _in_torch_hub(served: Any) -> Path | None:
    path = torch_hub.path_of(served.url) if served.url and not served.hf_hub_id else None
    return path if path and path.is_file() else None


def _fetch_of_hub(arch: str, served: Any, say: Say) -> Path:
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError
    from huggingface_hub.utils import disable_progress_bars

    if not sys.stderr.isatty():
        disable_progress_bars()
    repository, revision = _repository(served)
    place = f"{_host()}/{repository}"
    at: dict[str, Any] = {"revision": revision, "endpoint": os.environ.get("HF_ENDPOINT") or None}
    with cannot_fetch(arch, place):
        for file in FILES:
            try:
                about = get_hf_file_metadata(hf_hub_url(repository, file, **at))
                break
            except EntryNotFoundError:
                if file == FILES[-1]:
                    raise
        say(fetching(arch, about.size or 0, served.license or UNKNOWN, place, hub_folder()))
        path = Path(hf_hub_download(repository, file, cache_dir=hub_folder(), **at))
    if SHA256.fullmatch(about.etag or "") and (digest := kept.sha256_of(path)) != about.etag:
        path.resolve().unlink()
        path.unlink(missing_ok=True)
        raise WeightsError(
            f"{arch}: what {place} sent has the sha256 {digest}, and not {about.etag}, which it promises; nothing of "
            "it is kept, run the same command again"
        )
    return path


def _repository(served: Any) -> tuple[str, str | None]:
    name, _, revision = served.hf_hub_id.partition("@")
    return name, revision or None


def _host() -> str:
    return shown(os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


SOURCE = Source("timm", find, nets, read)
LIBRARY = Library(PREFIX, has, cached, fetch)
