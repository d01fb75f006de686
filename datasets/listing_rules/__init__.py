"""What a data set is taken to hold, by number: which files count, how they are named, where a table's images lie.

What was ever published stays as it is, in a file of its own, for other images or names would be other data to a sweep
that goes on.
"""

from sweep.datasets.listing_rules.rules import Rules
from sweep.datasets.listing_rules.rules_1 import RULES as RULES_1
from sweep.datasets.listing_rules.rules_2 import RULES as RULES_2
from sweep.datasets.listing_rules.rules_3 import RULES as RULES_3

LISTING_RULES: dict[int, Rules] = {1: RULES_1, 2: RULES_2, 3: RULES_3}
NEWEST = max(LISTING_RULES)
