"""What a worker tells of an attempt; without torch, for the driver reads it."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from sweep.storage.schema import parsed
from sweep.storage.states import Reason
from sweep.trainable.features import Prepared
from sweep.trainable.metrics.history import EpochMetrics, read_history


@dataclass(frozen=True)
class Failure:
    """Why an attempt ended before its last epoch.

    Attributes:
      log: the traceback, of an error alone.
    """

    reason: Reason
    message: str
    log: str = ""


@dataclass(frozen=True)
class Report:
    """All that an attempt has to tell so far: each report replaces the one before.

    Attributes:
      history: every epoch so far, those of earlier attempts included.
      done: no report comes after this one.
      prepared: what is being computed before the first epoch; None while an epoch is trained.
      note: what a person should know of how the trial's net is trained where it runs; empty where there is nothing.
    """

    attempt: int
    history: list[EpochMetrics]
    failure: Failure | None = None
    done: bool = False
    prepared: Prepared | None = None
    note: str = ""

    def to_json(self) -> str:
        history = [metrics.to_dict() for metrics in self.history]
        return json.dumps(asdict(self) | {"history": history})

    @staticmethod
    def from_json(content: Any) -> "Report":
        """Returns the report that JSON holds.

        Raises:
          ValueError: it holds none.
        """
        try:
            report: Report = parsed(Report, content | {"history": read_history(content["history"])})
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"no report of an attempt: {error!r}") from None
        return report
