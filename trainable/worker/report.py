"""The report of a worker about an attempt; no torch is imported, because the driver reads reports."""

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
      message: the failure in words for people.
      log: the traceback of an error; empty for all other reasons.
    """

    reason: Reason
    message: str
    log: str = ""


@dataclass(frozen=True)
class Report:
    """Everything that an attempt has reported so far; each report replaces the one before.

    Attributes:
      history: all epochs so far, with those of earlier attempts.
      done: whether this is the last report.
      prepared: the progress of the computation before the first epoch; None while an epoch is trained.
      note: what people should know about how this trial is trained on its machine; empty if there is nothing.
    """

    attempt: int
    history: list[EpochMetrics]
    failure: Failure | None = None
    done: bool = False
    prepared: Prepared | None = None
    note: str = ""

    def to_json(self) -> str:
        """Returns the report as JSON."""
        history = [metrics.to_dict() for metrics in self.history]
        return json.dumps(asdict(self) | {"history": history})

    @staticmethod
    def from_json(content: Any) -> "Report":
        """Returns the report that parsed JSON holds.

        Raises:
          ValueError: it does not hold a report.
        """
        try:
            report: Report = parsed(Report, content | {"history": read_history(content["history"])})
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"no report of an attempt: {error!r}") from None
        return report
