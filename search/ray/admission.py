"""Decides which nodes of a cluster get trials: those that passed the checks, at a sweep's start or when they joined.

A node that joins is checked, and until it has passed it does not count as room for trials. If a trial waits for a
node, Ray may place it there at once. So its worker asks before it takes the trial (`search.ray.gate`), and ends if the
node is refused. Then the trial looks for another place, and it and all later ones keep off that node (`Placement`).
"""

import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ray import tune
from ray.tune.execution.placement_groups import resource_dict_to_pg_factory
from ray.util import placement_group

from sweep.search.ray.gate import Gate
from sweep.search.ray.readiness import found_on

if TYPE_CHECKING:
    from collections.abc import Callable

    from sweep.search.ray.cluster import Node

    Check = Callable[[Sequence[Node], Path], Mapping[str, list[str]]]

NODE_LABEL = "ray.io/node-id"  # the label by which Ray knows a node


class Admission:
    """Checks the nodes that join, in a thread of its own.

    Attributes:
      admitted: the ids of the nodes that get trials.
      refused: what the other checked nodes lack, by their ids.
      news: the lines that people have not been shown yet.
    """

    def __init__(self, sweep: Path, admitted: Iterable[str], check: "Check" = found_on) -> None:
        """Begins with the nodes that the cluster has now.

        Args:
          admitted: the ids of the nodes that have passed the checks.
          check: returns what each node lacks, by the node's id.
        """
        self.sweep, self.check = sweep, check
        self.admitted, self.refused = frozenset(admitted), dict[str, str]()
        self.news: deque[str] = deque()
        self.gate = Gate(self.admitted, f"nodes of {sweep.name} {time.time_ns()}")
        self.verdicts: Any = None
        self.candidates: list[Node] = []
        self.pending_check: Future[Mapping[str, list[str]]] | None = None

    def admits(self, nodes: Sequence["Node"]) -> "list[Node]":
        """Returns those of the nodes that get trials; starts a check of the new ones, and does not wait for it."""
        if self.pending_check is not None and self.pending_check.done():
            self._take(self.pending_check)
            self.pending_check = None
        new = [node for node in nodes if node.id not in self.admitted and node.id not in self.refused]
        if new and self.pending_check is None:
            self.candidates, self.pending_check = new, Future()
            # The driver does not wait for a daemon thread when it ends: a node that does not answer takes a minute.
            threading.Thread(target=self._check, args=(new, self.pending_check), daemon=True).start()
        return [node for node in nodes if node.id in self.admitted]

    def take_news(self) -> list[str]:
        """Returns the news, each line only once."""
        return [self.news.popleft() for _ in range(len(self.news))]

    def _check(self, new: "list[Node]", future: "Future[Mapping[str, list[str]]]") -> None:
        try:
            future.set_result(self.check(new, self.sweep))
        except Exception as error:
            future.set_exception(error)

    def _take(self, future: "Future[Mapping[str, list[str]]]") -> None:
        """Admits or refuses the nodes that were checked, and tells the workers that wait on them."""
        if future.exception():  # Ray or the storage may have gone, which others notice; the nodes are checked again
            return
        problems = {node.id: future.result().get(node.id, []) for node in self.candidates}
        self.news.extend(f"{line}. It gets no trial." for lines in problems.values() for line in lines)
        self.refused = {**self.refused, **{id: "\n".join(lines) for id, lines in problems.items() if lines}}
        self.admitted |= {id for id, lines in problems.items() if not lines}
        self.verdicts = self.verdicts or self.gate.opened()
        self.verdicts.tell.remote({id: "\n".join(lines) for id, lines in problems.items()})


class Placement(tune.PlacementGroupFactory):
    """A request to Ray for a place with the resources of a trial, on no node that has been refused by then.

    Tune regards all of them as the same request, whenever they were made, so it reuses a worker for any of them.
    """

    def __init__(self, resources: Mapping[str, float], admission: Admission) -> None:
        """Makes the request for one trial.

        Args:
          resources: what a trial gets, by Tune's names for resources.
        """
        request = resource_dict_to_pg_factory(dict(resources))
        super().__init__(request.bundles, request.strategy)
        self.admission = admission

    def to_placement_group(self) -> Any:
        """Returns the request to Ray for a place, which leaves out the nodes that have been refused so far."""
        # Nodes that are being checked stay in: a request is never changed, and would leave them out for good.
        refused = ",".join(sorted(self.admission.refused))
        selector = [{NODE_LABEL: f"!in({refused})"}] * len(self.bundles) if refused else None
        return placement_group(self.bundles, self.strategy, bundle_label_selector=selector)

    def __reduce__(self) -> Any:
        """Pickles as a plain request, because a worker only reads which resources it has."""
        return tune.PlacementGroupFactory, (self.bundles, self.strategy)
