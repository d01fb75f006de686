"""Connecting to Ray: a session of its own on this machine, or a running cluster."""

import math
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO
from unittest.mock import patch

import yaml

from datasets.text import counted
from search.process import Interrupted, interruptible
from trainable.config import ConfigError
from trainable.order import node_name

ROOT = Path(__file__).resolve().parents[1]

QUIET = {  # before Ray is imported; set by `prepare`
    "RAY_USAGE_STATS_ENABLED": "0",  # no telemetry
    "RAY_AIR_NEW_OUTPUT": "0",  # the screen is ours
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # no csv, json and tensorboard files of Tune's own
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # signals are the driver's
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",  # Tune's snapshots are never read
    "TUNE_WARN_THRESHOLD_S": "10",
    "NO_ALBUMENTATIONS_UPDATE": "1",  # albumentations asks a package index at import
}
# What leads to a bucket goes to the nodes; keys do not, for Ray's logs have them then.
OF_BUCKETS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION")
LEDGER_VARIABLE = "PGPASSWORD"  # a secret of the driver: workers never speak to the ledger


CODE = ("datasets", "trainable", "analysis", "search")
BOOTSTRAP = Path("~/ray_bootstrap_config.yaml")  # on the head of a cluster that Ray's launcher made
TOKEN = Path("~/.ray/auth_token")  # of this user's sessions and clusters
HEAD = "node:__internal_head__"  # a resource of the head alone
LOOK_SECONDS = 2.0  # between two looks at the nodes that there are
NODE_SECONDS = 30.0  # for the node of a session of one's own, then Ray goes on as it would
HANDLERS_SECONDS = 0.05  # between two settings of the handlers while Ray starts
FIT_SECONDS = 30.0  # for nodes that are still joining


@dataclass(frozen=True)
class Asked:
    """What the user wants a trial to get; None leaves it to what the cluster has.

    Attributes:
      custom: further resources by their names.
      concurrency: trials at a time; None for as many as fit.
    """

    cpus: float | None = None
    gpus: float | None = None
    memory_bytes: int | None = None
    custom: Mapping[str, float] = field(default_factory=dict)
    concurrency: int | None = None


@dataclass(frozen=True)
class Node:
    """A node that is there, or that an autoscaler may start.

    Attributes:
      name: for people.
      resources: by Ray's names, memory in bytes.
      id: Ray's; empty of one that is not there.
    """

    name: str
    resources: Mapping[str, float]
    id: str = ""

    def fits(self, wanted: Mapping[str, float]) -> int:
        """How many trials it has room for, each with what is wanted."""
        return min(math.floor(self.resources.get(name, 0) / amount + 1e-9) for name, amount in wanted.items())

    def __str__(self) -> str:
        return f"{self.name} has {_amounts({n: self.resources.get(n, 0) for n in ('CPU', 'GPU')} | self._others)}"

    @property
    def _others(self) -> dict[str, float]:
        """Without the names that Ray gives each node."""
        return {n: a for n, a in self.resources.items() if ":" not in n and n not in ("object_store_memory",)}


@dataclass(frozen=True)
class Workers:
    """What a trial gets, and how many run beside each other.

    Attributes:
      most: trials at a time that the user allows; None for as many as fit.
    """

    cpus: float
    gpus: float
    memory_bytes: int
    concurrency: int
    custom: Mapping[str, float] = field(default_factory=dict)
    most: int | None = None

    @property
    def wanted(self) -> dict[str, float]:
        """By Ray's names."""
        asked = {"CPU": self.cpus, "GPU": self.gpus, "memory": float(self.memory_bytes), **self.custom}
        return {name: amount for name, amount in asked.items() if amount}

    @property
    def resources(self) -> dict[str, float]:
        """By the names that Tune has for them."""
        return {{"CPU": "cpu", "GPU": "gpu"}.get(name, name): amount for name, amount in self.wanted.items()}

    def __str__(self) -> str:
        each = f"{self.gpus:g} GPU and {self.cpus:g} CPU" if self.gpus else f"{self.cpus:g} CPU"
        more = "".join(f", {amount:g} {name}" for name, amount in self.custom.items())
        return f"{counted(self.concurrency, 'trial')} at a time, {each}{more} each"


def prepare() -> None:
    """Sets Ray's environment; call it before the first import of Ray."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)


def place(address: str | None) -> str | None:
    """Where Ray runs: the address that was given, else RAY_ADDRESS, which a job of a cluster has; None for here."""
    found = address or os.environ.get("RAY_ADDRESS") or None
    return None if found == "local" else found


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """A Ray session for the block; one that was started here ends with it.

    Raises:
      ConfigError: no cluster answers at `address`, it has another version of Ray or Python, or asks for a token.
    """
    import ray
    from ray.exceptions import AuthenticationError

    options: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
    here: dict[str, str | None] = {}
    if address is None:  # not a cluster that happens to run here: that is what --address is for
        options |= {"address": "local", "include_dashboard": False}
        # Workers inherit this environment. A runtime_env would do the same 3 s later: an agent has to start first,
        # and the workers that Ray starts ahead of need cannot be used.
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        here = {"PYTHONPATH": os.pathsep.join(paths), LEDGER_VARIABLE: None}
    else:
        # Modules, not a working_dir: a job may have one, and Ray takes no second. Nothing else of the folder is sent.
        code = [str(ROOT / package) for package in CODE]
        buckets = {name: os.environ[name] for name in OF_BUCKETS if name in os.environ}
        variables = {**QUIET, **buckets, LEDGER_VARIABLE: ""}
        environment = {"env_vars": variables, "py_modules": code, "excludes": ["__pycache__"]}
        options |= {"address": address, "runtime_env": environment}
        here = {"RAY_OVERRIDE_JOB_RUNTIME_ENV": "1"}  # where a job names one of these variables too; else Ray refuses
    # In a thread of its own: in the main one what a signal's handler raises is lost where it comes amid a fork, and Ray
    # forks its processes. They end with that thread, which so lives as long as the session.
    with ThreadPoolExecutor(1) as beside:
        try:
            with _environment(here), _lean() if address is None else nullcontext():
                _wait_for(beside.submit(ray.init, **options))
        except ConnectionError as error:
            raise ConfigError(f"{_named(address)}: no Ray cluster answers; start it, or leave this out") from error
        except AuthenticationError as error:
            way_out = "put the cluster's token into ~/.ray/auth_token, or name its file in RAY_AUTH_TOKEN_PATH"
            raise ConfigError(f"{_named(address)}: {error.message.splitlines()[0]}; {way_out}") from error
        except RuntimeError as error:
            if "Version mismatch" not in str(error):
                raise
            raise ConfigError(f"{_named(address)}: {error}") from error
        _keep_token_to_its_owner()
        try:
            yield
        finally:
            ray.shutdown()


def _keep_token_to_its_owner() -> None:
    """Ray makes the file readable for everybody on the machine."""
    path = TOKEN.expanduser()
    with suppress(OSError):  # there is none, or it is another's
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)


@contextmanager
def _lean() -> Iterator[None]:
    """Ray starts, in the block, without what a session for one driver has no use for; it has no options for that.

    The monitors, of an autoscaler and of what workers print, and the dashboard: 3 s before a trial can start, 180 MB.
    The node's agent has no server then, whose port another session may have taken: 3 s more. And the node is looked
    for every 20 ms, where Ray does so every second: 2.4 s to a session instead of 3.1 s.
    """
    from ray._private import services, utils
    from ray._private.node import Node
    from ray._private.state import GlobalState

    get_node = services.get_node

    def get_node_soon(gcs_address: str, node_id: str) -> Any:
        there, deadline = GlobalState(), time.monotonic() + NODE_SECONDS
        there._initialize_global_state(services._get_gcs_client_options(gcs_address))
        while all(node["NodeID"] != node_id for node in there.node_table()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return get_node(gcs_address, node_id)

    def no_dashboard(node: Node, **_: Any) -> None:
        node._webui_url = ""

    with ExitStack() as changed:
        changed.enter_context(patch.object(utils, "get_dashboard_dependency_error", lambda: ImportError("not wanted")))
        changed.enter_context(patch.object(Node, "start_api_server", no_dashboard))
        changed.enter_context(patch.object(services, "get_node", get_node_soon))
        for name in ("start_monitor", "start_log_monitor"):
            changed.enter_context(patch.object(Node, name, lambda _: None))
        yield


def _wait_for(starting: Future[Any]) -> None:
    """Until Ray has started; interrupted, until it has ended again."""
    try:
        while not starting.done():
            with interruptible():  # again and again: Ray's core sets handlers that abort
                wait([starting], HANDLERS_SECONDS)
    except Interrupted:
        import ray

        wait([starting])
        ray.shutdown()
        raise
    starting.result()


def _named(address: str | None) -> str:
    return f"RAY_ADDRESS {address}" if address == os.environ.get("RAY_ADDRESS") else f"--address {address}"


def nodes() -> list[Node]:
    """The nodes that are alive, the head first."""
    import ray

    there = [about for about in ray.nodes() if about["Alive"]]
    there.sort(key=lambda about: (HEAD not in about["Resources"], about["NodeManagerAddress"]))
    return [
        Node(node_name(about["NodeManagerAddress"], about["NodeID"]), about["Resources"], about["NodeID"])
        for about in there
    ]


def may_come() -> list[Node]:
    """The nodes that the autoscaler of this cluster may have at most; none where it has none, or it is not known.

    Of more than it may have together those that it takes first: the higher priority, the name later in the alphabet.
    """
    path = BOOTSTRAP.expanduser()
    if not path.exists():
        return []
    config = yaml.safe_load(path.read_bytes())
    kinds = {name: about for name, about in config["available_node_types"].items() if name != config["head_node_type"]}
    ranked = sorted(kinds, key=lambda name: (kinds[name].get("priority", 0), name), reverse=True)
    found = [Node(name, kinds[name]["resources"]) for name in ranked for _ in range(kinds[name]["max_workers"])]
    return found[: config["max_workers"]]


def workers_there(asked: Asked, is_local: bool, out: TextIO) -> Workers:
    """What a trial gets, once there are nodes that it fits on, or an autoscaler that may start them.

    Args:
      out: told when they have to be waited for.

    Raises:
      ConfigError: after `FIT_SECONDS` there is no such node, nor can one come.
    """
    deadline, waits = time.monotonic() + (0 if is_local else FIT_SECONDS), False
    while True:
        try:
            return plan_workers(nodes(), [] if is_local else may_come(), asked)
        except ConfigError:
            if time.monotonic() >= deadline:
                raise
        if not waits:
            waits = True
            print(
                f"No node has room for a trial yet; waiting {FIT_SECONDS:.0f} s for one to join.", file=out, flush=True
            )
        time.sleep(0.5)


@contextmanager
def _environment(changed: Mapping[str, str | None]) -> Iterator[None]:
    """Sets these variables for the block, or takes them out."""
    before = {name: os.environ.get(name) for name in changed}
    try:
        _set(changed)
        yield
    finally:
        _set(before)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


class Room:
    """How many trials there is room for at this moment; nodes come and go, so a cluster is looked at every few seconds.

    Where an autoscaler's limits are known, what it may start counts: it starts nodes for trials that wait.

    Args:
      workers: as planned at the start; what a trial gets stays.
    """

    def __init__(self, workers: Workers, is_local: bool) -> None:
        self.workers, self.is_local = workers, is_local
        self.concurrency, self.looked = workers.concurrency, time.monotonic()

    def __call__(self) -> int:
        if not self.is_local and time.monotonic() - self.looked > LOOK_SECONDS:
            self.concurrency = max(1, self._fits())  # one waits, so that an autoscaler sees that there is need
            self.looked = time.monotonic()
        return self.concurrency

    def _fits(self) -> int:
        fits = sum(node.fits(self.workers.wanted) for node in _at_most(nodes(), may_come()))
        return min(fits, self.workers.most or fits)


def plan_workers(there: Sequence[Node], coming: Sequence[Node], asked: Asked) -> Workers:
    """What the user asked for, else one trial a GPU where a node has any, else one CPU a trial.

    Args:
      coming: what an autoscaler may have at most, those among `there` that it started included.

    Raises:
      ConfigError: a trial with what was asked fits on none of these nodes.
    """
    nodes = _at_most(there, coming)
    gpus = asked.gpus
    if gpus is None:
        gpus = 1.0 if any(node.resources.get("GPU", 0) >= 1 for node in nodes) else 0.0
    cpus = asked.cpus or _share_of_cpus(nodes, gpus)
    workers = Workers(cpus, gpus, asked.memory_bytes or 0, 0, asked.custom, asked.concurrency)
    fits = sum(node.fits(workers.wanted) for node in nodes)
    if not fits:
        found = "; ".join(_counted(there))
        more = f"; there may come {'; '.join(_counted(coming))}" if coming else ""
        raise ConfigError(
            f"no trial could ever start: asked for {_amounts(workers.wanted)} a trial on one node; "
            f"{found or 'no node'}{more}; ask for less, or add nodes"
        )
    return replace(workers, concurrency=min(asked.concurrency or fits, fits))


def _at_most(there: Sequence[Node], coming: Sequence[Node]) -> list[Node]:
    """The nodes that there may be: where an autoscaler's limits are known, what it may start, and the head."""
    return [*(node for node in there if HEAD in node.resources), *coming] if coming else list(there)


def _share_of_cpus(nodes: Sequence[Node], gpus: float) -> float:
    """Of a trial, beside its GPUs: so much that each node can use all of its GPUs."""
    there = [node.resources for node in nodes if node.resources.get("GPU", 0) >= gpus > 0]
    return min((max(1.0, about.get("CPU", 1) * gpus // about["GPU"]) for about in there), default=1.0)


def _counted(nodes: Sequence[Node]) -> list[str]:
    return [text if count == 1 else f"{count} x {text}" for text, count in Counter(map(str, nodes)).items()]


def _amounts(resources: Mapping[str, float]) -> str:
    def text(name: str, amount: float) -> str:
        return f"{amount / 2**30:.1f} GiB of memory" if name == "memory" else f"{amount:g} {name}"

    return ", ".join(text(name, amount) for name, amount in resources.items())
