"""What a driver was asked for."""

from dataclasses import dataclass

from search import samplers
from search.runtime.memory import Limit
from search.runtime.queue import Queue


@dataclass(frozen=True)
class Plan:
    """What a driver was asked for.

    Attributes:
      trials: of the sweep in total.
      queue: the configs that run first, or every config there is to be.
      sampler_version: the number of the sampler, as `sweep.json` has it.
      families: the architectures of which each gets a share of the first draws; empty leaves that to the sampler.
      limit: the memory that a drawn config may take; None for any.
      attempts: a trial lost so often with its worker is a FAIL.
      max_failures: so many FAILs in a row stop the sweep, and so do draws in a row for which the space has no config.
      deadline: on `time.monotonic()`; None for no limit.
    """

    trials: int
    seed: int
    metric: str
    sampler: str
    queue: Queue
    sampler_version: int = samplers.NEWEST
    families: tuple[str, ...] = ()
    limit: Limit | None = None
    attempts: int = 3
    max_failures: int = 10
    deadline: float | None = None
