"""Random configs that stop at the old search's rungs, a ninth and a third of their epochs."""

from benchmarks.replay.draws import CommonDraws
from benchmarks.replay.policies import PolicyKind
from benchmarks.replay.rules.stopping import Stopping
from search.pruners import halving_1

KIND = PolicyKind("random, old rungs", lambda task: Stopping(halving_1.new(), CommonDraws()), draws_configs=False)
