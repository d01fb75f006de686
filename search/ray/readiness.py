"""Checks whether this machine and each node of a cluster can run trials, before any trial is run."""

import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.search.ray.connection import last_line
from sweep.search.runtime.process import chatter_to, looks, screen
from sweep.storage.store import is_copy, store_of
from sweep.trainable.config import ConfigError

if TYPE_CHECKING:
    from sweep.search.ray.cluster import Node
    from sweep.search.ray.node import Machine
    from sweep.search.runtime.start import Start

ANSWER_SECONDS = 60.0  # for all nodes together: a worker has to start, and to import torch if there are GPUs
LOOK_SECONDS = 1.0
LEAST_FREE_BYTES = 1 << 30
DRIVER = "this machine"


def check_all(sweep: Path, start: "Start") -> list[str]:
    """Checks this machine or the nodes of a cluster, and that a trial fits on one; leaves nothing behind.

    Returns:
      a line for each node that is ready, and one for what a trial gets.

    Raises:
      ConfigError: with a line for each thing that they lack.
    """
    from sweep.search.ray.address import place
    from sweep.search.ray.cluster import nodes, workers_there
    from sweep.search.ray.connection import connected, prepare

    address = place(start.address)
    check_here(sweep)
    prepare()
    # Ray's own output is thrown away: the messages here repeat what matters in it, and no file may be left behind.
    with screen() as out, chatter_to(Path(os.devnull)), connected(address, out):
        workers = workers_there(start, address is None, out)
        alive_nodes = nodes()
        if address is not None:
            check_nodes(alive_nodes, sweep)
    return [*(f"node {node}: ready" for node in alive_nodes), f"{workers}."]


def check_here(sweep: Path) -> None:
    """Checks that this machine can run trials of the sweep.

    Raises:
      ConfigError: with what this machine lacks, a line each.
    """
    from sweep.search.ray.node import inspect_machine

    with _preflight_folder(sweep) as folder:
        machine = inspect_machine(f"{folder}", "here", counts_gpus=False)
    _refuse(problems(DRIVER, machine, machine, gpus=0, sweep=sweep))


def check_nodes(
    alive_nodes: Sequence["Node"], sweep: Path, look_there: Callable[[str, str, bool], "Machine"] | None = None
) -> None:
    """Checks all nodes at once, as `found_on` does.

    Raises:
      ConfigError: with a line for each thing that they lack.
    """
    faults = found_on(alive_nodes, sweep, look_there)
    _refuse([line for lines in faults.values() for line in lines])


def found_on(
    alive_nodes: Sequence["Node"], sweep: Path, look_there: Callable[[str, str, bool], "Machine"] | None = None
) -> dict[str, list[str]]:
    """Checks all nodes at once, each by a worker on it; Ray must be connected.

    Args:
      look_there: what the worker calls; by default `search.ray.node.inspect_machine`.

    Returns:
      by the node's id, a line for each thing that keeps it from running trials; no line if it can. A node that leaves
      the cluster meanwhile is left out.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    from sweep.search.ray.cluster import nodes
    from sweep.search.ray.node import inspect_machine

    faults: dict[str, list[str]] = {}
    with _preflight_folder(sweep) as folder:
        driver = inspect_machine(f"{folder}", "here", counts_gpus=False)
        tasks = {}
        for node in alive_nodes:
            on_node = NodeAffinitySchedulingStrategy(node.id, soft=False)
            task = ray.remote(look_there or inspect_machine).options(
                num_cpus=0, max_retries=0, scheduling_strategy=on_node
            )
            tasks[task.remote(f"{folder}", node.id, node.resources.get("GPU", 0) > 0)] = node
        for _ in looks(ANSWER_SECONDS, LOOK_SECONDS):
            ready, missing = ray.wait(list(tasks), num_returns=len(tasks), timeout=LOOK_SECONDS)
            if not missing:
                break
        store_of(folder).fetch(folder)
        ids_gone = {node.id for node in alive_nodes} - {node.id for node in nodes()}
        for answer, node in tasks.items():
            if node.id in ids_gone:
                continue
            name = f"node {node.name}"
            if answer not in ready:
                ray.cancel(answer, force=True)
                faults[node.id] = [f"{name}: no answer in {ANSWER_SECONDS:.0f} s; see `ray status`, or remove it"]
                continue
            try:
                machine = ray.get(answer)
            except Exception as error:  # anything may go wrong in a worker's start or its imports
                remedy = "install requirements.lock there"
                faults[node.id] = [f"{name}: cannot run a worker ({last_line(error)}); {remedy}"]
                continue
            lines = problems(name, machine, driver, node.resources.get("GPU", 0), sweep)
            if not machine.storage and not (folder / node.id).exists():
                lines.append(f"{name}: what it writes into {sweep} is not seen here; {REMEDY_STORAGE}")
            faults[node.id] = lines
    return faults


REMEDY_STORAGE = (
    "put the sweep on a file system that all nodes share, or into a bucket that all may write, with --sweep"
)


def problems(name: str, machine: "Machine", driver: "Machine", gpus: float, sweep: Path) -> list[str]:
    """Returns a line for each thing that keeps a machine from running trials.

    Args:
      name: the machine's name in the lines.
      driver: the driver's machine, whose versions all others must have.
      gpus: how many GPUs Ray counts on the machine.
    """
    lines = []
    if machine.python != driver.python:
        lines.append(f"{name}: Python {machine.python}, the driver has {driver.python}; use one on all nodes")
    differences = [
        f"{package} {machine.versions.get(package) or 'is missing'}, the driver has {version}"
        for package, version in driver.versions.items()
        if machine.versions.get(package) != version
    ]
    if differences:
        lines.append(f"{name}: {'; '.join(differences)}; install requirements.lock there")
    if len(machine.opencv) != 1:
        builds = ", ".join(machine.opencv) or "none"
        lines.append(f"{name}: there must be one build of OpenCV, got {builds}; uninstall the others")
    if machine.gpus is not None and machine.gpus < gpus:
        lines.append(f"{name}: Ray counts {gpus:g} GPU, torch can use {machine.gpus}; see `nvidia-smi` there")
    if machine.storage:
        remedy = "make it writable" if name == DRIVER else REMEDY_STORAGE
        lines.append(f"{name}: cannot use {sweep} ({machine.storage}); {remedy}")
    elif machine.free_bytes is not None and machine.free_bytes < LEAST_FREE_BYTES:
        free, least = machine.free_bytes >> 20, LEAST_FREE_BYTES >> 20
        lines.append(f"{name}: {free} MiB are free where {sweep} lies, at least {least} are needed; make room")
    return lines


@contextmanager
def _preflight_folder(sweep: Path) -> Iterator[Path]:
    """Yields a folder in the sweep's folder, which has the driver's file in it and is removed after the block."""
    from sweep.search.ray.node import DRIVER_FILE
    from sweep.storage.files import make_folder, remove, save_bytes

    if not is_copy(sweep):  # in a bucket, another driver may be in the midst of its checks
        for leftover in sweep.glob("preflight-*"):  # of a driver that was killed
            remove(leftover)
    folder = (sweep / f"preflight-{uuid.uuid4().hex[:8]}").resolve()
    make_folder(folder)
    try:
        save_bytes(folder / DRIVER_FILE, DRIVER_FILE.encode())
        yield folder
    finally:
        remove(folder)


def _refuse(lines: list[str]) -> None:
    if lines:
        raise ConfigError("\n".join(lines))
