"""The listing rules by number: which files count, how they are named, and where the images of a table lie.

Rules that were once published never change, and each version has its own file: with other images or names, a sweep that
is continued would have other data.
"""

from sweep.datasets.listing_rules.rules import Rules
from sweep.datasets.listing_rules.rules_1 import RULES as RULES_1
from sweep.datasets.listing_rules.rules_2 import RULES as RULES_2
from sweep.datasets.listing_rules.rules_3 import RULES as RULES_3

LISTING_RULES: dict[int, Rules] = {1: RULES_1, 2: RULES_2, 3: RULES_3}
NEWEST = max(LISTING_RULES)
