"""Random search, in which every config of the shared order is trained to its end."""

from benchmarks.replay.contract import Policy
from benchmarks.replay.draws import CommonDraws
from benchmarks.replay.policies import PolicyKind, Task
from benchmarks.replay.rules.no_stopping import NoStopping


def new(task: Task) -> Policy:
    """Returns the policy."""
    return NoStopping(CommonDraws())


KIND = PolicyKind("random", "random", new, draws_configs=False)
