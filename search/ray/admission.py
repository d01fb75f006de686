"""Which nodes of a cluster get trials: those that passed the checks, at the start of a sweep or when they joined it.

A node that joins is looked at, and until it has passed it does not count as room for trials. Where a trial waits for a
node, Ray may place it there at once. So its worker asks before it takes the trial (`search.ray.gate`), and ends where
the node is refused. Then the trial looks for another place, and it and all later ones keep off that node (`Placement`).
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

NODE_LABEL = "ray.io/node-id"  # that Ray gives each node


class Admission:
    """Looks at the nodes that join, in a thread of its own.

    Attributes:
      admitted: the ids of those that get trials.
      refused: what those lack that get none, by their ids.
      news: what a person should know, and has not been told.
    """

    def __init__(self, sweep: Path, admitted: Iterable[str], check: "Check" = found_on) -> None:
        """Args:
        admitted: the ids of the nodes that have passed the checks.
        """
        self.sweep, self.check = sweep, check
        self.admitted, self.refused = frozenset(admitted), dict[str, str]()
        self.news: deque[str] = deque()
        self.gate = Gate(self.admitted, f"nodes of {sweep.name} {time.time_ns()}")
        self.verdicts: Any = None
        self.asked: list[Node] = []
        self.found: Future[Mapping[str, list[str]]] | None = None

    def admits(self, there: Sequence["Node"]) -> "list[Node]":
        """Returns those of the nodes that get trials; has the others looked at, which does not wait for it."""
        if self.found is not None and self.found.done():
            self._take(self.found)
            self.found = None
        new = [node for node in there if node.id not in self.admitted and node.id not in self.refused]
        if new and self.found is None:
            self.asked, self.found = new, Future()
            # No thread that the end of the driver waits for: a node that does not answer has a minute for it.
            threading.Thread(target=self._look, args=(new, self.found), daemon=True).start()
        return [node for node in there if node.id in self.admitted]

    def told(self) -> list[str]:
        """Returns what is news, once."""
        return [self.news.popleft() for _ in range(len(self.news))]

    def _look(self, new: "list[Node]", found: "Future[Mapping[str, list[str]]]") -> None:
        try:
            found.set_result(self.check(new, self.sweep))
        except Exception as error:
            found.set_exception(error)

    def _take(self, found: "Future[Mapping[str, list[str]]]") -> None:
        """Takes what was found on the nodes that were asked, and tells the workers that wait there."""
        if found.exception():  # whether Ray or the sweep's storage has gone others find out; the nodes are asked again
            return
        lacks = {node.id: found.result().get(node.id, []) for node in self.asked}
        self.news.extend(f"{line}. It gets no trial." for lines in lacks.values() for line in lines)
        self.refused = {**self.refused, **{id: "\n".join(lines) for id, lines in lacks.items() if lines}}
        self.admitted |= {id for id, lines in lacks.items() if not lines}
        self.verdicts = self.verdicts or self.gate.opened()
        self.verdicts.tell.remote({id: "\n".join(lines) for id, lines in lacks.items()})


class Placement(tune.PlacementGroupFactory):
    """Asks Ray for a place that has what a trial gets, on no node that has been refused by then.

    To Tune all are one request, whenever they were made, so that a worker is used again for any of them.
    """

    def __init__(self, resources: Mapping[str, float], admission: Admission) -> None:
        """Args:
        resources: of a trial, by the names that Tune has for them.
        """
        plain = resource_dict_to_pg_factory(dict(resources))
        super().__init__(plain.bundles, plain.strategy)
        self.admission = admission

    def to_placement_group(self) -> Any:
        # Not those that are looked at now: a place that is asked for is asked for in these words until there is one.
        refused = ",".join(sorted(self.admission.refused))
        selector = [{NODE_LABEL: f"!in({refused})"}] * len(self.bundles) if refused else None
        return placement_group(self.bundles, self.strategy, bundle_label_selector=selector)

    def __reduce__(self) -> Any:
        """A worker learns what it has, and places nothing."""
        return tune.PlacementGroupFactory, (self.bundles, self.strategy)
