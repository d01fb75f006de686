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


def prepare(nets: Iterable[str], say: Say, begun: Mapping[str, WeightsEntry] | None = None) -> dict[str, Weights]:
    """Returns the weights of these nets, stored and checked; from then on this process uses them.

    Args:
      say: shows what is fetched.
      begun: the weights with which the sweep began; it continues only with the same ones.

    Raises:
      WeightsError: weights are missing and cannot be fetched, differ from those before, or belong to another net.
    """
    begun = begun or {}
    wanted = sorted(set(nets))
    given.assign(wanted)
    table = {net: _find(net, begun.get(net), say) for net in wanted}
    weights.remember(table)
    for each in table.values():
        # Only their presence is checked here, because reading the tensors would import torch (2 s). Whoever reads them
        # checks every bit, and makes the file again if it is damaged.
        if cache.find(each.arch, each.sha256) is None:
            weights.keep(each, _check_fit)
    return table


def entries(table: Mapping[str, Weights]) -> dict[str, WeightsEntry]:
    """Returns what `sweep.json` records about weights."""
    return {
        net: WeightsEntry(each.source, each.sha256, each.licence, each.path.name) for net, each in sorted(table.items())
    }


def recorded(begun: Mapping[str, WeightsEntry], copies: Path | None = None) -> dict[str, Weights]:
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
        for net, each in begun.items()
    }


def _find(net: str, before: WeightsEntry | None, say: Say) -> Weights:
    """Returns the weights of a net: those with which the sweep began, if it has begun, else any that can be found.

    Raises:
      WeightsError: none can be found or fetched, or they differ from those with which the sweep began.
    """
    if before is None:
        return _at_hand(net) or _fetched(net, say)
    places = (lambda: given.find(net), lambda: cache.find(net, before.sha256), lambda: _at_hand(net))
    now = next((found for place in places if (found := place())), None) or _fetched(net, say, before)
    if now.sha256 != before.sha256:
        raise WeightsError(
            f"{net}: the sweep was begun with weights with the sha256 {before.sha256} ({before.source}), got "
            f"{now.sha256} ({now.source}); name the file of then, {before.file}, with --weights, or start another "
            "sweep with --sweep"
        )
    return now


def _at_hand(net: str) -> Weights | None:
    """Returns weights of a net that are on this machine, or None."""
    found = (source.find(net) for source in weights.SOURCES)
    return next(filter(None, found), None) or weights.library_of(net).cached(net)


def _fetched(net: str, say: Say, before: WeightsEntry | None = None) -> Weights:
    """Fetches the weights of a net, unless `--offline` forbids it."""
    if CHOICES.offline:
        of_then = f" (those of this sweep: {before.file}, sha256 {before.sha256}, {before.source})" if before else ""
        raise WeightsError(
            f"{net}: its weights are not on this machine{of_then}, and --offline forbids to fetch them; leave it out, "
            "or name a file or folder with --weights"
        )
    return weights.library_of(net).fetch(net, say)


def _check_fit(found: Weights) -> None:
    """Builds the net with weights that are new to this machine, and puts one grey image through it.

    Raises:
      WeightsError: the weights belong to another net, or the net's output is not finite.
    """
    import torch

    from sweep.trainable.config import TrialConfig
    from sweep.trainable.models import family_of
    from sweep.trainable.models.net import build

    family = family_of(found.arch)
    try:
        config = TrialConfig(arch=found.arch, **{**family.shape, "pretrained": True})
        side = family.preprocessing(config).size or PROBE_PX
        net = build(config, classes=2, image_size=(side, side)).eval()
    except ConfigError as error:
        raise WeightsError(
            f"{found.path}: {error}; give a file of this net with --weights, or name the net that it is of"
        ) from error
    with torch.no_grad():
        if not net(torch.full((1, 3, side, side), 128, dtype=torch.uint8)).isfinite().all():
            raise WeightsError(
                f"{found.path}: must hold finite numbers, got some with which {found.arch} computes NaN or infinity; "
                "give another file of this net with --weights"
            )
