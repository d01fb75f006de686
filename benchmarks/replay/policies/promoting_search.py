"""The search whose trials wait at the new rungs and continue once they are among the best."""

from benchmarks.replay.contract import Policy
from benchmarks.replay.ledger_draws import LedgerDraws, plan_of
from benchmarks.replay.policies import PolicyKind, Task
from benchmarks.replay.rules.promoting import Promoting
from sweep.search.pruners import halving_3


def new(task: Task) -> Policy:
    """Returns the policy."""
    pruner = halving_3.new()
    return Promoting(pruner, LedgerDraws(task.space, pruner, plan_of(task, "tpe", 2)))


KIND = PolicyKind("promoting_search", "promoting search", new, draws_configs=True)
