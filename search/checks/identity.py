"""Finds out to which trial a config belongs, and what a trial's folder knows if the ledger has lost the trial."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from sweep.search.runtime.draws import trial_seed
from sweep.storage import paths
from sweep.storage.files import read_json
from sweep.storage.sweep_file import SweepFile
from sweep.trainable.checkpoint import read_checkpoint
from sweep.trainable.config import ConfigError, TrialConfig
from sweep.trainable.metrics.history import EpochMetrics, read_history


def is_of(file: SweepFile, number: int, config: Any) -> bool:
    """Returns whether this value, which should be a config in JSON, is the config of the trial.

    In a search the seed of a config is a function of the trial's number, so the seed identifies the trial. In a repeat
    and a refit several configs share a seed; the queue holds them whole, so the whole config is compared.
    """
    entry = file.queue.get(number)
    if entry and entry.config is not None:
        return _comparable(config) == _comparable(entry.config)
    return isinstance(config, dict) and config.get("seed") == trial_seed(file.settings.seed, number)


def _comparable(config: Any) -> TrialConfig | str:
    """Returns the config, with defaults for missing fields; its text if it is not valid in this version."""
    try:
        return TrialConfig.from_dict(config)
    except (ConfigError, TypeError, AttributeError):
        return json.dumps(config, sort_keys=True)


class FolderContent:
    """The content of a trial's folder, as far as it can be trusted.

    Attributes:
      history: the metrics of its epochs; None if the file is missing or damaged.
      attempts: the highest number of an attempt; 0 if there is none.
      has_ended: whether the files kept of an ended trial are there and its attempts are gone.
    """

    def __init__(self, folder: Path) -> None:
        self.history: list[EpochMetrics] | None = None
        self.attempts, self.has_ended = 0, False
        self.folder = folder
        if folder.is_symlink() or not folder.is_dir():
            return
        with suppress(FileNotFoundError, ValueError):
            self.history = read_history(read_json(folder / paths.HISTORY))
        self.attempts = max(map(paths.attempt_number, paths.attempts(folder)), default=0)
        self.has_ended = paths.has_ended(folder)

    def config(self, file: SweepFile, number: int) -> TrialConfig | None:
        """Returns the trial's config from its own file or else from a checkpoint; None if neither has it."""
        for path in (self.folder / paths.CONFIG, *paths.newest_checkpoints(self.folder, self.attempts)):
            with suppress(FileNotFoundError, NotADirectoryError, ValueError, AttributeError, TypeError):
                values = read_json(path) if path.name == paths.CONFIG else read_checkpoint(path).config
                if is_of(file, number, values):
                    return TrialConfig.from_dict(values)
        return None
