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

NODE_LABEL = "ray.io/node-id"  # that Ray gives each node


class Admission:
    """Checks the nodes that join, in a thread of its own.

    Attributes:
      admitted: the ids of the nodes that get trials.
      refused: what the other checked nodes lack, by their ids.
      news: the lines that people have yet to be told.
    """

    def __init__(self, sweep: Path, admitted: Iterable[str], check: "Check" = found_on) -> None:
        """Begins with the nodes that are there.

        Args:
          admitted: the ids of the nodes that have passed the checks.
          check: returns what each node lacks, by the node's id.
        """
        self.sweep, self.check = sweep, check
        self.admitted, self.refused = frozenset(admitted), dict[str, str]()
        self.news: deque[str] = deque()
        self.gate = Gate(self.admitted, f"nodes of {sweep.name} {time.time_ns()}")
        self.verdicts: Any = None
        self.asked: list[Node] = []
        self.found: Future[Mapping[str, list[str]]] | None = None

    def admits(self, there: Sequence["Node"]) -> "list[Node]":
        """Returns those of the nodes that get trials; starts a check of the new ones, and does not wait for it."""
        if self.found is not None and self.found.done():
            self._take(self.found)
            self.found = None
        new = [node for node in there if node.id not in self.admitted and node.id not in self.refused]
        if new and self.found is None:
            self.asked, self.found = new, Future()
            # A daemon, for which the end of the driver does not wait: a node that does not answer has a minute for it.
            threading.Thread(target=self._check, args=(new, self.found), daemon=True).start()
        return [node for node in there if node.id in self.admitted]

    def take_news(self) -> list[str]:
        """Returns the news, each line only once."""
        return [self.news.popleft() for _ in range(len(self.news))]

    def _check(self, new: "list[Node]", found: "Future[Mapping[str, list[str]]]") -> None:
        try:
            found.set_result(self.check(new, self.sweep))
        except Exception as error:
            found.set_exception(error)

    def _take(self, found: "Future[Mapping[str, list[str]]]") -> None:
        """Admits or refuses the nodes that were checked, and tells the workers that wait on them."""
        if found.exception():  # others notice if Ray or the storage has gone; the nodes are asked again
            return
        lacks = {node.id: found.result().get(node.id, []) for node in self.asked}
        self.news.extend(f"{line}. It gets no trial." for lines in lacks.values() for line in lines)
        self.refused = {**self.refused, **{id: "\n".join(lines) for id, lines in lacks.items() if lines}}
        self.admitted |= {id for id, lines in lacks.items() if not lines}
        self.verdicts = self.verdicts or self.gate.opened()
        self.verdicts.tell.remote({id: "\n".join(lines) for id, lines in lacks.items()})


class Placement(tune.PlacementGroupFactory):
    """Asks Ray for a place that has what a trial gets, on no node that has been refused by then.

    Tune takes all of them for the same request, whenever they were made, so that a worker is reused for any of them.
    """

    def __init__(self, resources: Mapping[str, float], admission: Admission) -> None:
        """Makes the request for one trial.

        Args:
          resources: what a trial gets, by Tune's names for resources.
        """
        plain = resource_dict_to_pg_factory(dict(resources))
        super().__init__(plain.bundles, plain.strategy)
        self.admission = admission

    def to_placement_group(self) -> Any:
        """Returns the request to Ray for a place, which leaves out the nodes that have been refused so far."""
        # Nodes that are being checked stay in: a request is never changed, and would leave them out for good.
        refused = ",".join(sorted(self.admission.refused))
        selector = [{NODE_LABEL: f"!in({refused})"}] * len(self.bundles) if refused else None
        return placement_group(self.bundles, self.strategy, bundle_label_selector=selector)

    def __reduce__(self) -> Any:
        """Pickles as a plain request, because a worker only learns what it has, and places nothing."""
        return tune.PlacementGroupFactory, (self.bundles, self.strategy)
