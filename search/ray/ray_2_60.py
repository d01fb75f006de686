"""Holds everything that the search needs from Ray's private parts, as they are in version 2.60.

Ray is imported only inside the functions. With any other version none of this is used. Then a sweep starts some seconds
later, its session has no token of its own, a trial on a drained node loses an attempt, nobody knows which node a trial
ran on, and Ray's end is noticed later.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from typing import Any

VERSION = "2.60"


def is_used() -> bool:
    """Returns whether the installed Ray is of the version whose private parts are known here."""
    return version("ray").startswith(f"{VERSION}.")


def node() -> Any:
    """Returns Ray's object for this process's node; None if there is none, or for another version of Ray."""
    import ray

    return ray._private.worker._global_node if is_used() else None


def read_environment_again() -> None:
    """Makes Ray's core read its settings and token again: it reads them once, maybe for an earlier session."""
    if is_used():
        from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]  # compiled

        Config.initialize("")
        AuthenticationTokenLoader.instance().reset_cache()


def use_token_of_cluster() -> None:
    """Makes Ray use the user's token for the cluster, which Ray itself does only for the address `auto`."""
    if is_used():
        from ray._private.authentication import authentication_token_setup as setup

        setup.maybe_enable_token_auth_if_token_available(warn_if_disabled=False)


def newest_cluster_here() -> str | None:
    """Returns the address that `ray start` has written on this machine; None if there is none."""
    if is_used():
        from ray._private.services import find_bootstrap_address

        with suppress(OSError):
            return find_bootstrap_address(None)
    return None


@contextmanager
def lean(nodes: list[Any]) -> Iterator[None]:
    """Makes Ray start, in the block, without parts that a session for one driver does not need; Ray has no such option.

    The monitors of the autoscaler and of the workers' output take 0.9 s of a start, the dashboard takes 0.8 s, and all
    of them take 180 MB. The node's agent has no server either, which takes 2.6 s if another session has its port.

    Args:
      nodes: gets Ray's object of the node, as soon as there is one.
    """
    if not is_used():
        yield
        return
    from unittest.mock import patch  # which imports asyncio

    from ray._private import utils
    from ray._private.node import Node

    def no_dashboard(node: Node, **_: Any) -> None:
        node._webui_url = ""
        nodes.append(node)

    no_server = patch.object(utils, "get_dashboard_dependency_error", lambda: ImportError("not wanted"))
    with (
        no_server,
        patch.multiple(
            Node, start_api_server=no_dashboard, start_monitor=lambda _: None, start_log_monitor=lambda _: None
        ),
    ):
        yield


@contextmanager
def tuned(trainable: Any) -> Iterator[None]:
    """Makes Tune, in the block, start plain workers, keep those that are starting, and not look the trainable up.

    A worker that Ray ends because the node's memory is short counts as a lost worker; without this, Tune itself would
    end with that error.

    Tune would ask the cluster three times a trial for the trainable, which this process has: 5 ms, which row 9 of
    BENCHMARKS.md therefore does not include.
    """
    if not is_used():
        yield
        return
    from unittest.mock import patch

    from ray.air.execution._internal.actor_manager import RayActorManager
    from ray.exceptions import RayActorError, RayError, RayTaskError
    from ray.tune.analysis import ExperimentAnalysis
    from ray.tune.execution import class_cache
    from ray.tune.execution.tune_controller import TuneController
    from ray.tune.experiment import trial as tune_trial

    # Tune gives each worker an environment of its own, with a variable for Lightning and the driver's AWS keys. Ray's
    # logs would then show the keys. Ray starts no such worker ahead of need either, so that it comes 1.3 s later.
    class_cache.DEFAULT_ENV_VARS.clear()
    class_cache.ENV_VARS_TO_PROPAGATE.clear()
    reuse_worker = TuneController._maybe_reuse_cached_actor

    def reuse_worker_unless_one_starts(controller: Any, trial: Any) -> bool:
        """Leaves a trial the worker that is starting for it, as long as other trials need the one that is free.

        Tune itself gives the trial the free worker and ends the starting one. If trials are shorter than a start, this
        repeats without end: 400 trials of no length used only one of two workers.
        """
        if trial not in controller._resetting_trials and _has_one_starting(controller, trial):
            bridge = controller._scheduler_alg.bridge
            if bridge.has_more or not all(_has_one_starting(controller, other) for other in controller._pending_trials):
                return False
        return reuse_worker(controller, trial)

    fail = RayActorManager._actor_task_failed

    def fail_by_an_error_that_tune_knows(manager: Any, tracked_actor_task: Any, exception: Exception) -> None:
        if isinstance(exception, RayError) and not isinstance(exception, RayActorError | RayTaskError):
            exception = RayActorError(error_msg=f"{exception}")
        fail(manager, tracked_actor_task, exception)

    # Tune looks for each trial's files of metrics, and prints that there are none.
    no_files: Any = patch.object(ExperimentAnalysis, "_fetch_trial_dataframes", lambda _: {})
    no_lookup = patch.multiple(tune_trial, validate_trainable=lambda _: None, get_trainable_cls=lambda _: trainable)
    reuse = patch.object(TuneController, reuse_worker.__name__, reuse_worker_unless_one_starts)
    failure = patch.object(RayActorManager, fail.__name__, fail_by_an_error_that_tune_knows)
    with no_files, no_lookup, reuse, failure:
        yield


def _has_one_starting(controller: Any, trial: Any) -> bool:
    worker = controller._trial_to_actor.get(trial)
    return worker is not None and bool(controller._actor_manager.is_actor_started(worker))


def drained_nodes() -> set[str]:
    """Returns the ids of the nodes that were drained or are being drained."""
    if not is_used():
        return set()
    import ray
    from ray._private.state import state
    from ray.core.generated.common_pb2 import NodeDeathInfo  # type: ignore[attr-defined]  # generated

    reasons = (NodeDeathInfo.AUTOSCALER_DRAIN_PREEMPTED, NodeDeathInfo.AUTOSCALER_DRAIN_IDLE)
    dead_nodes = (node for node in ask_head(ray.nodes, []) if not node["Alive"] and node["DeathReason"] in reasons)
    return {*ask_head(state.get_draining_nodes, {}), *(node["NodeID"] for node in dead_nodes)}


def node_of(trial: Any) -> str:
    """Returns the id of the node that a trial of Tune's runs on; empty if the node has just gone or is not known."""
    if not is_used():
        return ""
    from ray._private.state import state

    worker = trial.temporary_state.ray_actor
    table = ask_head(lambda: state.actor_table(worker._actor_id.hex()), {})
    return str(table.get("Address", {}).get("NodeID", ""))


def ask_head(question: Callable[[], Any], default: Any) -> Any:
    """Returns the answer of the cluster's head, or `default` if there is none; the vigil notices if it is gone."""
    try:
        return question()
    except Exception:  # Ray has no class for it
        return default
