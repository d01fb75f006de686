"""Random search, in which every config of the shared order is trained to its end."""

from benchmarks.replay.contract import Policy
from benchmarks.replay.draws import CommonDraws
from benchmarks.replay.policies import PolicyKind, Task
from benchmarks.replay.rules.whole import Whole


def new(task: Task) -> Policy:
    """Returns the policy."""
    return Whole(CommonDraws())


KIND = PolicyKind("random", "random", new, draws_configs=False)
