"""Random search: every config of the common order is trained to its end."""

from benchmarks.replay.draws import CommonDraws
from benchmarks.replay.policies import PolicyKind
from benchmarks.replay.rules.whole import Whole

KIND = PolicyKind("random", lambda task: Whole(CommonDraws()), draws_configs=False)
