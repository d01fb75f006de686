"""What the driver asks of a worker, and where that lies on the disk; without torch, which the driver can wait for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweep.storage import paths
from sweep.storage.bucket import open_place
from sweep.trainable.config import TrialConfig

KEPT_CHECKPOINTS = 2  # the newest, and the one before it should the newest be damaged


@dataclass(frozen=True)
class Order:
    """What the driver asks of a worker.

    Attributes:
      folder: of the trial, absolute; the attempts lie in it. Of a sweep in a bucket each process has its own copy.
      metric: its name, of `trainable.metrics`.
      rungs: the epochs after which the trial may be stopped, and so reports.
      spacing: seconds between two reports, at least: many short trials together would flood the driver.
    """

    number: int
    attempt: int
    config: TrialConfig
    folder: Path
    metric: str
    rungs: tuple[int, ...] = ()
    spacing: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "folder": f"{self.folder}", "config": self.config.to_dict()}

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "Order":
        config = TrialConfig.from_dict(values["config"])
        return Order(**{**values, "folder": open_place(values["folder"]), "config": config})


def node_name(address: str, node_id: str) -> str:
    """Of a node of a cluster, for people: nodes may share an address, and ids are long."""
    return f"{address} ({node_id[:6]})"


def hung_stacks(folder: Path, attempt: int) -> str:
    """Where each thread of an attempt that was hung stood when it was ended; empty where it was not."""
    path = paths.attempt_folder(folder, attempt) / paths.HUNG
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
