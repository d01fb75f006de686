"""What a trial's folder knows of the trial, where the ledger lost it."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage import paths
from storage.files import DamagedError, read_json
from trainable.config import ConfigError, TrialConfig
from trainable.metrics.history import EpochMetrics, read_history
from trainable.state import CheckpointError, read_checkpoint


@dataclass(frozen=True)
class FolderContent:
    """What can be trusted of it.

    Attributes:
      history: None where it is not there, or is damaged.
      attempts: the highest number of an attempt; 0 where there is none.
      has_ended: what is kept of an ended trial is there, and its attempts are gone.
    """

    folder: Path
    history: list[EpochMetrics] | None = None
    attempts: int = 0
    has_ended: bool = False

    @staticmethod
    def read(folder: Path) -> "FolderContent":
        if folder.is_symlink() or not folder.is_dir():
            return FolderContent(folder)
        history = None
        with suppress(FileNotFoundError, ValueError):
            history = read_history(read_json(folder / paths.HISTORY))
        attempts = max(map(paths.attempt_number, paths.attempts(folder)), default=0)
        return FolderContent(folder, history, attempts, paths.has_ended(folder))

    def config(self, is_its: Callable[[TrialConfig], bool]) -> TrialConfig | None:
        """The config, if the folder has one that is its trial's; of a checkpoint where its own file is damaged."""
        for values in self._configs():
            try:
                config = TrialConfig.from_dict(values)
            except (ConfigError, AttributeError, TypeError):
                continue
            if is_its(config):
                return config
        return None

    def _configs(self) -> Iterable[Any]:
        with suppress(FileNotFoundError, NotADirectoryError, DamagedError):
            yield read_json(self.folder / paths.CONFIG)
        for path in paths.newest_checkpoints(self.folder, self.attempts):
            with suppress(CheckpointError):
                yield read_checkpoint(path).config
