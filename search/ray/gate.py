"""What a worker of a cluster goes through before it takes a trial: its node must have passed the checks."""

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

ASK_SECONDS = 0.5  # between two questions of a worker
WAIT_SECONDS = 300.0  # for an answer, which takes a minute at most once the driver has seen the node


class NodeRefusedError(Exception):
    """A worker was started on a node that did not pass the checks; its name tells the driver of it."""


class Verdicts:
    """An actor on the driver's node: whom workers ask about their node."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}

    def tell(self, found: dict[str, str]) -> None:
        self.found.update(found)

    def of(self, node: str) -> str | None:
        """Returns why a node gets no trial; empty where it gets some, None where that is not known yet."""
        return self.found.get(node)


@dataclass(frozen=True)
class Gate:
    """What a worker goes through before it takes a trial.

    Attributes:
      known: the ids of the nodes that passed the checks at the start, on which it asks nobody.
      name: of the actor that knows of the others; it is there once the first of them has been looked at.
    """

    known: frozenset[str]
    name: str

    def opened(self) -> Any:
        """Returns the actor, started on this node."""
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        return ray.remote(num_cpus=0)(Verdicts).options(name=self.name, scheduling_strategy=here).remote()

    def __call__(self) -> None:
        """Raises:
        NodeRefusedError: the node of this process gets no trial.
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
            verdict: Any = ray.get(ray.get_actor(self.name).of.remote(node))
            return str(verdict) if verdict is not None else None
        return None
