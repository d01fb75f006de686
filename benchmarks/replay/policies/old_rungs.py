"""Random configs that stop at the rungs of the old search, a ninth and a third of their epochs."""

from benchmarks.replay.contract import Policy
from benchmarks.replay.draws import CommonDraws
from benchmarks.replay.policies import PolicyKind, Task
from benchmarks.replay.rules.stopping import Stopping
from sweep.search.pruners import halving_1


def new(task: Task) -> Policy:
    """Returns the policy."""
    return Stopping(halving_1.new(), CommonDraws())


KIND = PolicyKind("old_rungs", "random, old rungs", new, draws_configs=False)
