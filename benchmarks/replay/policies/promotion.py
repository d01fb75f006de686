"""Random configs that wait at the new rungs and continue once they are among the best."""

from fractions import Fraction

from benchmarks.replay.contract import Policy
from benchmarks.replay.draws import CommonDraws
from benchmarks.replay.policies import PolicyKind, Task
from benchmarks.replay.rules.promoting import Promoting
from sweep.search.pruners.halving_3 import SHARES, PausingHalving


def new(task: Task, shares: tuple[Fraction, ...] = SHARES) -> Policy:
    """Returns the policy with these shares of trials that continue from each rung."""
    return Promoting(PausingHalving(shares), CommonDraws())


KIND = PolicyKind("promotion", "random, promotion", new, draws_configs=False)
