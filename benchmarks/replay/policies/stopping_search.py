"""The search with the second sampler and the second pruner: families take turns, and the rungs are the old ones."""

from benchmarks.replay.contract import Policy
from benchmarks.replay.ledger_draws import LedgerDraws, plan_of
from benchmarks.replay.policies import PolicyKind, Task
from benchmarks.replay.rules.stopping import Stopping
from sweep.search.pruners import halving_2


def new(task: Task) -> Policy:
    """Returns the policy."""
    pruner = halving_2.new()
    return Stopping(pruner, LedgerDraws(task.space, pruner, plan_of(task, "tpe", 2)))


KIND = PolicyKind("stopping_search", "stopping search", new, draws_configs=True)
