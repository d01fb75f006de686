"""Finds the nodes of a Ray session or cluster, and plans what each trial gets of them."""

import math
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import yaml

from sweep.search.runtime.process import looks
from sweep.search.runtime.start import Start
from sweep.storage.text import counted
from sweep.trainable.config import ConfigError
from sweep.trainable.worker.order import node_name

if TYPE_CHECKING:
    from sweep.search.ray.admission import Admission

BOOTSTRAP = Path("~/ray_bootstrap_config.yaml")  # on the head of a cluster that Ray's launcher made
HEAD = "node:__internal_head__"  # a resource of the head alone
QUERY_SECONDS = 2.0  # between two queries of the cluster's nodes
FIT_SECONDS = 30.0  # for nodes that are still joining
FIT_QUERY_SECONDS = 0.5


@dataclass(frozen=True)
class Node:
    """A node that is there, or that an autoscaler may start.

    Attributes:
      name: the name that people are shown.
      resources: what it has, by Ray's names, memory in bytes.
      id: the id that Ray gave it; empty if it is not there yet.
    """

    name: str
    resources: Mapping[str, float]
    id: str = ""

    def fits(self, request: Mapping[str, float]) -> int:
        """Returns how many trials it has room for, if each needs the resources of this request."""
        return min(math.floor(self.resources.get(name, 0) / amount + 1e-9) for name, amount in request.items())

    def __str__(self) -> str:
        shown = {name: n for name, n in self.resources.items() if ":" not in name and name != "object_store_memory"}
        return f"{self.name} has {_amounts({'CPU': 0, 'GPU': 0} | shown)}"  # without the names that Ray gives each node


@dataclass(frozen=True)
class Workers:
    """The resources that each trial gets, and how many trials run at the same time.

    Attributes:
      concurrency: how many trials run at the same time.
      custom: further resources of a trial, by Ray's names.
      most: how many trials the user allows at a time; None for as many as fit.
    """

    cpus: float
    gpus: float
    memory_bytes: int
    concurrency: int
    custom: Mapping[str, float] = field(default_factory=dict)
    most: int | None = None

    @property
    def ray_resources(self) -> dict[str, float]:
        """Returns what each trial gets, by Ray's names for resources."""
        amounts = {"CPU": self.cpus, "GPU": self.gpus, "memory": float(self.memory_bytes), **self.custom}
        return {name: amount for name, amount in amounts.items() if amount}

    @property
    def resources(self) -> dict[str, float]:
        """Returns what each trial gets, by Tune's names for resources."""
        return {{"CPU": "cpu", "GPU": "gpu"}.get(name, name): amount for name, amount in self.ray_resources.items()}

    def __str__(self) -> str:
        per_trial = f"{self.gpus:g} GPU and {self.cpus:g} CPU" if self.gpus else f"{self.cpus:g} CPU"
        custom = "".join(f", {amount:g} {name}" for name, amount in self.custom.items())
        return f"{counted(self.concurrency, 'trial')} at a time, {per_trial}{custom} each"


def nodes() -> list[Node]:
    """Returns the nodes that are alive, the head first."""
    import ray

    entries = [entry for entry in ray.nodes() if entry["Alive"]]
    entries.sort(key=lambda entry: (HEAD not in entry["Resources"], entry["NodeManagerAddress"]))
    return [
        Node(node_name(entry["NodeManagerAddress"], entry["NodeID"]), entry["Resources"], entry["NodeID"])
        for entry in entries
    ]


def may_come() -> list[Node]:
    """Returns the most nodes that this cluster's autoscaler may have; empty if no autoscaler is known.

    If the limit on all nodes is lower than the kinds' own limits together, these are the nodes that it starts first:
    those of higher priority, then those whose kind has a name later in the alphabet.
    """
    path = Path(os.path.expanduser(BOOTSTRAP))  # unlike `Path.expanduser`, raises nothing for a user without a home
    if not path.exists():
        return []
    config = yaml.safe_load(path.read_bytes())
    kinds = {name: kind for name, kind in config["available_node_types"].items() if name != config["head_node_type"]}
    ranked = sorted(kinds, key=lambda name: (kinds[name].get("priority", 0), name), reverse=True)
    candidates = [Node(name, kinds[name]["resources"]) for name in ranked for _ in range(kinds[name]["max_workers"])]
    return candidates[: config["max_workers"]]


def workers_there(start: Start, is_local: bool, out: TextIO) -> Workers:
    """Returns what a trial gets, once there is a node that it fits on, or an autoscaler that may start one.

    Args:
      out: the screen, which shows if such a node has to be waited for.

    Raises:
      ConfigError: after `FIT_SECONDS` there is no such node, and none can come.
    """
    for look in looks(0 if is_local else FIT_SECONDS, FIT_QUERY_SECONDS):
        if look == 1:
            print(
                f"No node has room for a trial yet; waiting {FIT_SECONDS:.0f} s for one to join.", file=out, flush=True
            )
        if look:
            time.sleep(FIT_QUERY_SECONDS)
        with suppress(ConfigError):
            return plan_workers(nodes(), [] if is_local else may_come(), start)
    return plan_workers(nodes(), [] if is_local else may_come(), start)


class Room:
    """Knows how many trials there is room for now; nodes come and go, so it asks a cluster every few seconds.

    If an autoscaler's limits are known, the nodes that it may start count too, because it starts them for trials that
    wait.

    Args:
      workers: the plan made at the start; what each trial gets does not change.
      admission: decides which nodes of a cluster get trials; None on this machine alone.
    """

    def __init__(self, workers: Workers, admission: "Admission | None" = None) -> None:
        self.workers, self.admission = workers, admission
        self.concurrency, self.last_query_at = workers.concurrency, time.monotonic()
        # A query never returns if the GCS is gone, and the thread that starts trials must not wait for it.
        self.query_thread = ThreadPoolExecutor(1)
        self.query: Future[int] | None = None

    def __call__(self) -> int:
        """Returns the room by the newest query that has ended, and starts another if one is due; never waits."""
        if self.query is not None and self.query.done():
            if not self.query.exception():  # a failed query decides nothing: the vigil finds out if Ray has ended
                self.concurrency = max(1, self.query.result())  # 1, so that a trial waits, which an autoscaler sees
            self.query, self.last_query_at = None, time.monotonic()
        if self.admission and self.query is None and time.monotonic() - self.last_query_at > QUERY_SECONDS:
            self.query = self.query_thread.submit(self._fits)
        return self.concurrency

    def _fits(self) -> int:
        assert self.admission is not None
        alive_nodes, request = nodes(), self.workers.ray_resources
        admitted, possible_nodes = self.admission.admits(alive_nodes), may_come()
        trials = sum(node.fits(request) for node in _largest_cluster(admitted, possible_nodes))
        if possible_nodes:  # these include the nodes that came and were refused
            trials -= sum(node.fits(request) for node in alive_nodes if node.id in self.admission.refused)
        return min(max(trials, 0), self.workers.most or trials)


def plan_workers(alive_nodes: Sequence[Node], possible_nodes: Sequence[Node], start: Start) -> Workers:
    """Returns what a trial gets: what the user asked for, else one GPU if any node has one, else one CPU.

    Args:
      possible_nodes: the most nodes that an autoscaler may have, including the live ones that it has started.

    Raises:
      ConfigError: a trial with the resources that were asked for fits on none of these nodes.
    """
    nodes = _largest_cluster(alive_nodes, possible_nodes)
    gpus = start.gpus_per_trial
    if gpus is None:
        gpus = 1.0 if any(node.resources.get("GPU", 0) >= 1 for node in nodes) else 0.0
    cpus = start.cpus_per_trial or _share_of_cpus(nodes, gpus)
    workers = Workers(cpus, gpus, start.memory_per_trial or 0, 0, start.resources_per_trial, start.concurrency)
    trials = sum(node.fits(workers.ray_resources) for node in nodes)
    if not trials:
        alive_text = "; ".join(_node_texts(alive_nodes))
        possible_text = f"; there may come {'; '.join(_node_texts(possible_nodes))}" if possible_nodes else ""
        raise ConfigError(
            f"no trial could ever start: asked for {_amounts(workers.ray_resources)} a trial on one node; "
            f"{alive_text or 'no node'}{possible_text}; ask for less, or add nodes"
        )
    return replace(workers, concurrency=min(start.concurrency or trials, trials))


def worker_bytes(alive_nodes: Sequence[Node], workers: Workers, of_machine: int | None) -> int:
    """Returns the bytes that a trial may take on the node that has the fewest for it; 0 if that is not known.

    Args:
      of_machine: the memory of a session's one node, to be used instead of Ray's number, which only says how much was
        free when Ray started; None on a cluster.
    """
    if workers.memory_bytes:
        return workers.memory_bytes
    shares = []
    for node in alive_nodes:
        if trials := min(node.fits(workers.ray_resources), workers.concurrency):
            shares.append((node.resources.get("memory", 0) if of_machine is None else of_machine) / trials)
    return int(max(0, min(shares, default=0)))


def _largest_cluster(alive_nodes: Sequence[Node], possible_nodes: Sequence[Node]) -> list[Node]:
    """Returns the most nodes that there may be: the head and all that an autoscaler, if it is known, may start."""
    heads = [node for node in alive_nodes if HEAD in node.resources]
    return [*heads, *possible_nodes] if possible_nodes else list(alive_nodes)


def _share_of_cpus(nodes: Sequence[Node], gpus: float) -> float:
    """Returns how many CPUs a trial gets beside its GPUs: so many that each node can use all of its GPUs."""
    with_gpus = [node.resources for node in nodes if node.resources.get("GPU", 0) >= gpus > 0]
    return min((max(1.0, each.get("CPU", 1) * gpus // each["GPU"]) for each in with_gpus), default=1.0)


def _node_texts(nodes: Sequence[Node]) -> list[str]:
    return [text if count == 1 else f"{count} x {text}" for text, count in Counter(map(str, nodes)).items()]


def _amounts(resources: Mapping[str, float]) -> str:
    def text(name: str, amount: float) -> str:
        return f"{amount / 2**30:.1f} GiB of memory" if name == "memory" else f"{amount:g} {name}"

    return ", ".join(text(name, amount) for name, amount in resources.items())
