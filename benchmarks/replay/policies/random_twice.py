"""Random search in twice the time that the others have."""

from dataclasses import replace

from benchmarks.replay.policies import random

KIND = replace(random.KIND, name="random_twice", shown="random, twice the budget", budgets=2.0)
