"""Random configs that wait at the new rungs, and go on from there once they are among the best."""

from benchmarks.replay.draws import CommonDraws
from benchmarks.replay.policies import PolicyKind
from benchmarks.replay.rules.promoting import Promoting
from search.pruners import halving_3

KIND = PolicyKind("random, promotion", lambda task: Promoting(halving_3.new(), CommonDraws()), draws_configs=False)
