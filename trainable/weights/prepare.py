"""Finds or fetches the weights with which trials begin, and stores them, in the driver before anything starts."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from sweep.storage.errors import ConfigError
from sweep.storage.sweep_file import WeightsEntry
from sweep.trainable import weights
from sweep.trainable.options import CHOICES
from sweep.trainable.weights import cache, given
from sweep.trainable.weights.contract import Say, Weights, WeightsError

PROBE_PX = 224  # side of the image with which new weights are tried, if they have no size of their own


def prepare(nets: Iterable[str], say: Say, old_entries: Mapping[str, WeightsEntry] | None = None) -> dict[str, Weights]:
    """Returns the weights of these nets, stored and checked; from then on this process uses them.

    Args:
      say: shows a line about each fetch.
      old_entries: the weights with which the sweep began; it continues only with the same ones.

    Raises:
      WeightsError: weights are missing and cannot be fetched, differ from those before, or belong to another net.
    """
    old_entries = old_entries or {}
    names = sorted(set(nets))
    given.assign(names)
    table = {net: _find(net, old_entries.get(net), say) for net in names}
    weights.remember(table)
    for each in table.values():
        # Only their presence is checked here, because reading the tensors would import torch (2 s). Whoever reads them
        # checks every bit, and makes the file again if it is damaged.
        if cache.find(each.arch, each.sha256) is None:
            weights.keep(each, _check_fit)
    return table


def entries(table: Mapping[str, Weights]) -> dict[str, WeightsEntry]:
    """Returns the entries about weights that `sweep.json` records."""
    return {
        net: WeightsEntry(each.source, each.sha256, each.licence, each.path.name) for net, each in sorted(table.items())
    }


def recorded(old_entries: Mapping[str, WeightsEntry], copies: Path | None = None) -> dict[str, Weights]:
    """Returns the weights that `sweep.json` records, even if their files are not there any more.

    Args:
      copies: a folder that may have copies of the stored weights.
    """

    def path_of(net: str, sha256: str) -> Path:
        path = cache.path_of(net, sha256)
        copy = copies / path.name if copies else path
        return copy if copy.is_file() else path

    return {
        net: Weights(net, each.source, each.sha256, each.licence, path_of(net, each.sha256), cache.NAME)
        for net, each in old_entries.items()
    }


def _find(net: str, entry: WeightsEntry | None, say: Say) -> Weights:
    """Returns the weights of a net: those with which the sweep began, if it has begun, else any that can be found.

    Raises:
      WeightsError: none can be found or fetched, or they differ from those with which the sweep began.
    """
    if entry is None:
        return _find_locally(net) or _fetch(net, say)
    places = (lambda: given.find(net), lambda: cache.find(net, entry.sha256), lambda: _find_locally(net))
    current = next((match for place in places if (match := place())), None) or _fetch(net, say, entry)
    if current.sha256 != entry.sha256:
        raise WeightsError(
            f"{net}: the sweep was begun with weights with the sha256 {entry.sha256} ({entry.source}), got "
            f"{current.sha256} ({current.source}); name the file of then, {entry.file}, with --weights, or start "
            "another sweep with --sweep"
        )
    return current


def _find_locally(net: str) -> Weights | None:
    """Returns weights of a net that are on this machine, or None."""
    matches = (source.find(net) for source in weights.SOURCES)
    return next(filter(None, matches), None) or weights.library_of(net).cached(net)


def _fetch(net: str, say: Say, entry: WeightsEntry | None = None) -> Weights:
    """Fetches the weights of a net, unless `--offline` forbids it."""
    if CHOICES.offline:
        details = f" (those of this sweep: {entry.file}, sha256 {entry.sha256}, {entry.source})" if entry else ""
        raise WeightsError(
            f"{net}: its weights are not on this machine{details}, and --offline forbids to fetch them; leave it out, "
            "or name a file or folder with --weights"
        )
    return weights.library_of(net).fetch(net, say)


def _check_fit(new_weights: Weights) -> None:
    """Builds the net with weights that are new to this machine, and puts one grey image through it.

    Raises:
      WeightsError: the weights belong to another net, or the net's output is not finite.
    """
    import torch

    from sweep.trainable.config import TrialConfig
    from sweep.trainable.models import family_of
    from sweep.trainable.models.net import build

    family = family_of(new_weights.arch)
    try:
        config = TrialConfig(arch=new_weights.arch, **{**family.shape, "pretrained": True})
        side = family.preprocessing(config).size or PROBE_PX
        net = build(config, classes=2, image_size=(side, side)).eval()
    except ConfigError as error:
        raise WeightsError(
            f"{new_weights.path}: {error}; give a file of this net with --weights, or name the net that it is of"
        ) from error
    with torch.no_grad():
        if not net(torch.full((1, 3, side, side), 128, dtype=torch.uint8)).isfinite().all():
            raise WeightsError(
                f"{new_weights.path}: must hold finite numbers, got some with which {new_weights.arch} computes NaN or "
                "infinity; give another file of this net with --weights"
            )
