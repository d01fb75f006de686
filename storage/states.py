"""The states of trials and the reasons why trials and drivers end, in the words that ledger and `sweep.json` keep.

Each member of these enums equals its text.
"""

from enum import StrEnum


class State(StrEnum):
    """The state of a trial, under the name that Optuna gives it."""

    COMPLETE = "COMPLETE"
    PRUNED = "PRUNED"
    FAIL = "FAIL"
    RUNNING = "RUNNING"


class Reason(StrEnum):
    """The reasons why a trial is PRUNED or FAIL, or why an attempt of a trial did not come to its end."""

    NOT_AMONG_THE_BEST = "not among the best at its rung"  # the only reason of a PRUNED trial
    DIVERGED = "diverged"  # a loss or a prediction was not finite, or gradients overflowed float16
    OUT_OF_MEMORY = "out of memory"  # of the GPU, or of a node on which nothing else ran
    HOST_MEMORY = "host memory"  # only an attempt ends so, since other processes may have taken the memory
    STORAGE = "storage"  # only an attempt ends so; the sweep ends too, because the trial is not at fault
    WORKER_LOST = "worker lost"
    NO_PROGRESS = "no progress"  # an epoch hung
    ERROR = "error"
    NO_CONFIG = "infeasible"  # the space had no config for the trial, of which only the seed is known
    RECORD_LOST = "record lost"  # the ledger was damaged where it recorded the trial


class Stop(StrEnum):
    """The reasons why a driver ended or begins no more trials; a cause with a text of its own is recorded by that."""

    FINISHED = "finished"
    TIME_BUDGET = "time budget"
    RAY_ENDED = "Ray ended"
    SIGNAL = "signal"  # recorded by the name of the signal, for example SIGINT
    FAILURES = "too many failures"  # too many trials failed in a row
    NO_CONFIG = "no config"  # the space had no config for many draws in a row
