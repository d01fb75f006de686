"""The data that a sweep was run on."""

from pathlib import Path

from analysis.record import Record
from datasets.dataset import Dataset
from datasets.images import load
from datasets.manifest import DataError


def sweep_data(record: Record) -> Dataset:
    """Raises:
    DataError: it is not there, or is no longer what the sweep was run on.
    """
    settings = record.settings
    data = load(Path(settings["data"]), **{"seed": settings["seed"]} | settings["data_options"])
    if data.fingerprint != settings["fingerprint"]:
        rule = "is not what the sweep was run on (its fingerprint differs)"
        raise DataError([f"{settings['data']}: {rule}; restore it, or predict other images with --images"])
    return data
