"""How trials and sweeps end, in the words that the ledger and `sweep.json` keep. Each member equals its text."""

from enum import StrEnum


class State(StrEnum):
    """The state of a trial, by the name that Optuna has for it."""

    COMPLETE = "COMPLETE"
    PRUNED = "PRUNED"
    FAIL = "FAIL"
    RUNNING = "RUNNING"


class Reason(StrEnum):
    """Why a trial is PRUNED or FAIL, or why an attempt of it came to no end."""

    NOT_AMONG_THE_BEST = "not among the best at its rung"  # the only reason of a PRUNED
    DIVERGED = "diverged"  # a loss was not finite
    OUT_OF_MEMORY = "out of memory"  # the GPU's, or a node's with nothing beside the trial
    HOST_MEMORY = "host memory"  # of an attempt alone: other processes may have taken it
    STORAGE = "storage"  # of an attempt alone: it ends the sweep, for the trial is not at fault
    WORKER_LOST = "worker lost"
    NO_PROGRESS = "no progress"  # an epoch hung
    ERROR = "error"
    NO_CONFIG = "infeasible"  # the space had none for the trial: nothing but its seed is known
    RECORD_LOST = "record lost"  # the ledger was damaged where it was written


class Stop(StrEnum):
    """Why a driver ended, or orders no more trials. A stop with a cause of its own is recorded in that one's words."""

    FINISHED = "finished"
    TIME_BUDGET = "time budget"
    RAY_ENDED = "Ray ended"
    SIGNAL = "signal"  # recorded by its name, SIGINT for example
    FAILURES = "too many failures"  # in a row
    NO_CONFIG = "no config"  # the space had none for many draws in a row
