"""The search as it was at commit 3e8ea06, with its space, its sampler and its rungs."""

from benchmarks.replay.contract import Policy
from benchmarks.replay.ledger_draws import LedgerDraws, bare_plan
from benchmarks.replay.policies import PolicyKind, Task
from benchmarks.replay.rules.stopping import Stopping
from sweep.search.pruners import halving_1


def new(task: Task) -> Policy:
    """Returns the policy."""
    pruner = halving_1.new()
    return Stopping(pruner, LedgerDraws(task.old_space, pruner, bare_plan(task, "tpe", 1)))


KIND = PolicyKind("old_search", "the old search", new, draws_configs=True)
