"""The orders that the driver gives to workers, and where the files for them lie.

It imports no torch, so the driver need not wait for that.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweep.storage import paths
from sweep.storage.bucket import open_place
from sweep.trainable.config import TrialConfig

KEPT_CHECKPOINTS = 2  # the newest, and the one before it in case the newest is damaged


@dataclass(frozen=True)
class Order:
    """An order that the driver gives to a worker: one attempt at one trial.

    Attributes:
      number: of the trial.
      attempt: which attempt at the trial it is, from 1.
      folder: the trial's folder, absolute, in which the attempts lie; for a sweep in a bucket, each process has a copy.
      metric: the name of a metric of `trainable.metrics`.
      rungs: the epochs after which the trial may be stopped, and so must report.
      spacing: the least time between two reports in seconds; many short trials would flood the driver otherwise.
    """

    number: int
    attempt: int
    config: TrialConfig
    folder: Path
    metric: str
    rungs: tuple[int, ...] = ()
    spacing: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Returns the order as plain values, as Ray hands it to the worker."""
        return {**vars(self), "folder": f"{self.folder}", "config": self.config.to_dict()}

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "Order":
        """Returns the order that `to_dict` made these values from."""
        config = TrialConfig.from_dict(values["config"])
        return Order(**{**values, "folder": open_place(values["folder"]), "config": config})


def node_name(address: str, node_id: str) -> str:
    """Returns a name for a node of a cluster: its address, which nodes may share, and the beginning of its id."""
    return f"{address} ({node_id[:6]})"


def hung_stacks(folder: Path, attempt: int) -> str:
    """Returns the stacks of all threads of an attempt that was ended because it hung; empty if it was not."""
    path = paths.attempt_folder(folder, attempt) / paths.HUNG
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
