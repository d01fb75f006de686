"""Lets a worker of a cluster take a trial only once its node has passed the checks."""

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

ASK_SECONDS = 0.5  # between two questions of a worker
WAIT_SECONDS = 300.0  # for an answer, which takes a minute at most once the driver has seen the node


class NodeRefusedError(Exception):
    """A worker was started on a node that did not pass the checks; the driver recognises the error by its name."""


class Verdicts:
    """An actor on the driver's node that tells workers whether their node passed the checks."""

    def __init__(self) -> None:
        self.verdicts: dict[str, str] = {}

    def tell(self, verdicts: dict[str, str]) -> None:
        """Takes verdicts by the ids of nodes: why the node gets no trial, or an empty text."""
        self.verdicts.update(verdicts)

    def verdict(self, node: str) -> str | None:
        """Returns why a node gets no trial; empty if it gets trials, None if that is not known yet."""
        return self.verdicts.get(node)


@dataclass(frozen=True)
class Gate:
    """The check that a worker calls before it takes a trial.

    Attributes:
      known: the ids of the nodes that passed the checks at the start; a worker on one of them asks nobody.
      name: the name of the actor that knows of the other nodes; it runs once the first of them has been checked.
    """

    known: frozenset[str]
    name: str

    def opened(self) -> Any:
        """Starts the actor on this node, and returns it."""
        home = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        return ray.remote(num_cpus=0)(Verdicts).options(name=self.name, scheduling_strategy=home).remote()

    def __call__(self) -> None:
        """Waits until the node of this process is known to get trials.

        Raises:
          NodeRefusedError: the node gets no trial, or the driver has not checked it in `WAIT_SECONDS`.
        """
        node = ray.get_runtime_context().get_node_id()
        if node in self.known:
            return
        for _ in range(round(WAIT_SECONDS / ASK_SECONDS)):
            verdict = self._verdict(node)
            if verdict == "":
                return
            if verdict is not None:
                raise NodeRefusedError(verdict)
            time.sleep(ASK_SECONDS)
        raise NodeRefusedError(f"the driver has not looked at this node in {WAIT_SECONDS:.0f} s")

    def _verdict(self, node: str) -> str | None:
        with suppress(ValueError):  # no such actor yet
            verdict: Any = ray.get(ray.get_actor(self.name).verdict.remote(node))
            return str(verdict) if verdict is not None else None
        return None
