"""Which trial of a sweep a config is of, and what a trial's folder knows of the trial where the ledger lost it."""

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
    """Returns whether this, which should be a config in JSON, is that of the trial.

    A search draws its configs, and the seed in each is a function of the trial's number. A repeat and a refit have
    theirs whole in the queue, where several share a seed: there it takes the whole config to tell.
    """
    queued = file.queue.get(number)
    if queued and queued.config is not None:
        return _comparable(config) == _comparable(queued.config)
    return isinstance(config, dict) and config.get("seed") == trial_seed(file.settings.seed, number)


def _comparable(config: Any) -> TrialConfig | str:
    """The config, with defaults for fields that it was written without; its text where it is none of this version."""
    try:
        return TrialConfig.from_dict(config)
    except (ConfigError, TypeError, AttributeError):
        return json.dumps(config, sort_keys=True)


class FolderContent:
    """What can be trusted of a trial's folder.

    Attributes:
      history: None where it is not there, or is damaged.
      attempts: the highest number of an attempt; 0 where there is none.
      has_ended: what is kept of an ended trial is there, and its attempts are gone.
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
        """Returns the trial's config, if the folder has it; of a checkpoint where its own file is damaged."""
        for path in (self.folder / paths.CONFIG, *paths.newest_checkpoints(self.folder, self.attempts)):
            with suppress(FileNotFoundError, NotADirectoryError, ValueError, AttributeError, TypeError):
                values = read_json(path) if path.name == paths.CONFIG else read_checkpoint(path).config
                if is_of(file, number, values):
                    return TrialConfig.from_dict(values)
        return None
