"""Connects to Ray: starts a session on this machine, or joins a running cluster. It imports nothing heavy."""

import os
import secrets
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from sweep.search.ray import ray_2_60
from sweep.search.ray.address import RayFailedError, check_answers, named, running_here
from sweep.search.runtime.process import Interrupted, interruptible, looks
from sweep.storage.programs import PACKAGE
from sweep.trainable.config import ConfigError
from sweep.trainable.devices import has_apple_gpu

if TYPE_CHECKING:
    from sweep.search.ray.vigil import Vigil


QUIET = {  # set by `prepare`, before Ray is imported
    "RAY_USAGE_STATS_ENABLED": "0",  # no telemetry
    "RAY_AIR_NEW_OUTPUT": "0",  # the screen is ours
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # no csv, json and tensorboard files of Tune's own
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # signals are the driver's
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",  # Tune's snapshots are never read
    "TUNE_WARN_THRESHOLD_S": "10",
    "NO_ALBUMENTATIONS_UPDATE": "1",  # albumentations asks a package index at import
}
# The variables that nodes need to find a bucket. Keys are not among them, because Ray's logs would show them.
OF_BUCKETS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION")
LEDGER_VARIABLE = "PGPASSWORD"  # a secret of the driver: workers never speak to the ledger
# How long the GCS may be gone before Ray's core ends its process. By then the driver, which watches the GCS itself, has
# written its report.
OUTLIVES_THE_GCS = {"RAY_gcs_rpc_server_reconnect_timeout_s": "600"}

SESSION_PREFIX = "sweep-ray-"  # of the folders of private sessions, which other sweeps leave alone
SOCKET = "/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store.10"  # the longest path below such a folder
DEFAULT_PLACE = "/tmp"  # noqa: S108 (the folder in it has a name of its own)
LONGEST_SOCKET_PATH = 103 if sys.platform == "darwin" else 107  # bytes that the system allows

HANDLERS_SECONDS = 0.05  # between two settings of the handlers while Ray starts
START_SECONDS = 60.0  # for Ray to start on this machine, or for a cluster to let the driver in
GIVE_UP_SECONDS = 5.0  # after a signal, for Ray to finish its start, so that it can be shut down properly


def prepare() -> None:
    """Sets Ray's environment; call it before the first import of Ray."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)


@contextmanager
def connected(address: str | None, out: TextIO | None = None) -> Iterator["Vigil"]:
    """Holds a Ray session for the block; a session that was started here ends with the block.

    Args:
      address: a cluster's address, as `search.ray.address.place` returns it; None starts a session on this machine.
      out: the screen; None for standard output.

    Yields:
      the vigil, which watches whether Ray still runs.

    Raises:
      ConfigError: no cluster answers at `address`, or the cluster has another version of Ray or Python, or asks for a
        token.
      RayFailedError: Ray cannot be started on this machine.
    """
    folder: Path | None = None
    if address is None:  # never a cluster that happens to run here: that is what --address is for
        folder = session_folder(out)
        starting = _start_in(folder)
    else:
        starting = _join(address)
    import ray

    from sweep.search.ray.vigil import Vigil

    vigil: Vigil | None = None
    try:
        with Vigil(address) as vigil:
            yield vigil
    finally:
        if vigil is not None and vigil.failure:
            # What is left of Ray cannot shut down properly; the folder stays, because Ray's logs are in it.
            vigil.end_what_is_left()
        else:
            ray.shutdown(wait_for_processes=True)
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
        starting.over.set()


class _Starting(threading.Thread):
    """Calls `ray.init` in a thread of its own, which lives until `over` is set.

    Ray forks its processes here. An exception that a signal handler raises during a fork would be lost, so the main
    thread does not call it. The processes end with the thread that forked them, so this thread lives as long as the
    session. It is a daemon thread, so that the process can end although `ray.init` may never return.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__(daemon=True)
        self.options = options
        self.started: Future[Any] = Future()
        self.over = threading.Event()
        self.start()

    def run(self) -> None:
        import ray

        try:
            self.started.set_result(ray.init(log_to_driver=False, configure_logging=False, **self.options))
        except BaseException as error:
            self.started.set_exception(error)
        self.over.wait()

    def wait(self) -> None:
        """Waits until Ray has started; raises the error that kept it from starting.

        Raises:
          TimeoutError: Ray took longer.
          Interrupted: a signal came; Ray was shut down, unless its start neither succeeds nor fails.
        """
        try:
            for _ in looks(START_SECONDS, HANDLERS_SECONDS):
                with interruptible():  # again and again, because Ray's core sets handlers that abort
                    wait([self.started], HANDLERS_SECONDS)
                if self.started.done():
                    return self.started.result()
            raise TimeoutError(f"it had not started after {START_SECONDS:.0f} s")
        except Interrupted:
            import ray

            wait([self.started], GIVE_UP_SECONDS)
            if self.started.done():
                ray.shutdown()
            self.over.set()
            raise


def _join(address: str) -> _Starting:
    """Connects to a running cluster.

    Raises:
      ConfigError: this machine cannot connect to it.
    """
    from ray.exceptions import AuthenticationError

    name = named(address)
    ray_2_60.read_environment_again()
    if address == "auto":
        address = running_here(name, SESSION_PREFIX)
        ray_2_60.use_token_of_cluster()
    check_answers(address, name)
    # The package is sent as a module: a job may have a working_dir, and Ray accepts no second one.
    code = [f"{PACKAGE}"]
    buckets = {name: os.environ[name] for name in OF_BUCKETS if name in os.environ}
    variables = {**QUIET, **buckets, LEDGER_VARIABLE: ""}
    environment = {"env_vars": variables, "py_modules": code, "excludes": ["__pycache__"]}
    # Without the override, Ray refuses if a job sets one of these variables too.
    with _environment({"RAY_OVERRIDE_JOB_RUNTIME_ENV": "1", **OUTLIVES_THE_GCS}):
        ray_2_60.read_environment_again()
        starting = _Starting({"address": address, "runtime_env": environment})
        try:
            starting.wait()
            return starting
        except (ConnectionError, TimeoutError, RuntimeError, AuthenticationError) as error:
            starting.over.set()
            for cause in _causes(error):
                if isinstance(cause, AuthenticationError):
                    way_out = "put the cluster's token into ~/.ray/auth_token, or name its file in RAY_AUTH_TOKEN_PATH"
                    raise ConfigError(f"{name}: {cause.message.splitlines()[0]}; {way_out}") from error
                if "Version mismatch" in str(cause):
                    raise ConfigError(f"{name}: {cause}") from error
            raise ConfigError(
                f"{name}: something listens at {address}, but no Ray cluster that this machine is part of "
                f"({last_line(error)}); give the address of the head's GCS (port 6379, unless it was started with "
                f"another), and run `ray start --address={address}` on this machine where it is not the head"
            ) from error


def _start_in(folder: Path) -> _Starting:
    """Starts Ray on this machine, for this process alone: nobody else can join it, because nobody else has its token.

    Raises:
      RayFailedError: Ray does not start; its logs stay in the folder.
    """
    # Workers inherit this environment. A runtime_env would do the same, but 3 s later: an agent would have to start
    # first, and the workers that Ray starts ahead of need could not be used.
    paths = [f"{PACKAGE.parent}", *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = {
        "PYTHONPATH": os.pathsep.join(paths),
        LEDGER_VARIABLE: None,
        **OUTLIVES_THE_GCS,
    }
    if ray_2_60.is_used():  # the token is in no file, so that it works without a writable home
        variables |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    gpus = {"num_gpus": 1} if has_apple_gpu() else {}  # Ray counts NVIDIA's by itself, and none of Apple's
    nodes: list[Any] = []
    with _environment(variables), ray_2_60.lean(nodes):
        ray_2_60.read_environment_again()
        starting = _Starting({"address": "local", "include_dashboard": False, "_temp_dir": str(folder), **gpus})
        try:
            starting.wait()
            folder.chmod(0o700)  # Ray lets everybody read it, for users who share a cluster
            return starting
        except Interrupted:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        except Exception as error:  # Ray has no class of its own for this
            causes = [f"its {name} ended" for node in nodes for name, _ in node.dead_processes()]
            for node in nodes:
                node.kill_all_processes(check_alive=False)
            starting.over.set()
            raise RayFailedError(
                f"Ray could not be started on this machine: {'; '.join([*causes, last_line(error)])} (its own words: "
                f"{folder}). Is there room for it (`df {folder} /dev/shm`, `ulimit -n`, `ulimit -u`, memory), and is "
                "the machine not too busy?"
            ) from error


def session_folder(out: TextIO | None = None) -> Path:
    """Makes the folder of a private session, in the first place where the paths of Ray's sockets are short enough.

    Raises:
      ConfigError: there is no such place that can be written.
    """
    problems = []
    named_places = {name: os.environ[name] for name in ("RAY_TMPDIR", "TMPDIR") if os.environ.get(name)}
    for name, place in {**named_places, "": DEFAULT_PLACE}.items():
        length = len(os.fsencode(f"{place}/{SESSION_PREFIX}12345678{SOCKET}"))
        try:
            if length > LONGEST_SOCKET_PATH:
                raise OSError(f"its sockets would have paths of {length} bytes, the system takes {LONGEST_SOCKET_PATH}")
            folder = Path(tempfile.mkdtemp(prefix=SESSION_PREFIX, dir=place))
        except OSError as error:
            problems.append(f"{name} {place}".strip() + f": Ray's session cannot lie there ({error.strerror or error})")
            continue
        for line in problems:
            print(f"{line}; it lies in {place}.", file=out, flush=True)
        return folder
    raise ConfigError("\n".join(problems) + "\nset RAY_TMPDIR to a folder with a short path that can be written")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def last_line(error: BaseException) -> str:
    """Returns the last line of an error's message, at most 300 characters; in an error of Ray's it is the cause."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1][:300]


@contextmanager
def _environment(variables: Mapping[str, str | None]) -> Iterator[None]:
    """Sets these variables of the environment for the block, or removes those whose value is None."""
    previous = {name: os.environ.get(name) for name in variables}
    try:
        _set(variables)
        yield
    finally:
        _set(previous)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
