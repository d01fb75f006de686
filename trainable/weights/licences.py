"""Notes about the licences of weights, which people should read before they train with them."""

import re
from collections.abc import Mapping

from sweep.trainable.weights.contract import UNKNOWN, Weights

# Anybody may use weights with these licences for any purpose; some require naming the author.
FREE = ("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-4.0")
# The names apple-amlr and seer-license do not say so, but these licences allow research only.
FOR_NO_BUSINESS = re.compile(r"\bnc\b|non-?commercial|research|amlr|seer", re.IGNORECASE)


def notes(table: Mapping[str, Weights]) -> list[str]:
    """Returns the notes on all weights of a table, by net, that need one."""
    return [line for each in table.values() if (line := note(each))]


def note(weights: Weights) -> str:
    """Returns a sentence about a licence that should be read before training; empty for a free one."""
    name = f"The weights of {weights.arch} ({weights.source})"
    if weights.licence in FREE:
        return ""
    if weights.licence == UNKNOWN:
        return f"{name} have no known licence: find out whether you may use and pass on what is trained from them."
    if FOR_NO_BUSINESS.search(weights.licence):
        return f"{name} are not for commercial use: licence {weights.licence}. What is trained from them is not either."
    return f"{name} have the licence {weights.licence}: read its terms before you pass on what is trained from them."
