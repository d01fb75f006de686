"""The third rules: every source is asked, the two layouts of before first, and archives within the data are opened."""

from dataclasses import replace

from datasets.listing_rules.rules_2 import RULES as RULES_2

RULES = replace(RULES_2, layouts_alone=False, opens_containers=True)
