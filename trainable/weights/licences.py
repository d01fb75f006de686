"""What a person should know of the licence of weights before they train with them."""

import re
from collections.abc import Mapping

from sweep.trainable.weights.contract import UNKNOWN, Weights

FREE = ("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-4.0")  # whoever names the author may
# apple-amlr and seer-license are for research alone as well.
FOR_NO_BUSINESS = re.compile(r"\bnc\b|non-?commercial|research|amlr|seer", re.IGNORECASE)


def notes(table: Mapping[str, Weights]) -> list[str]:
    return [line for each in table.values() if (line := note(each))]


def note(weights: Weights) -> str:
    """Returns a sentence on a licence that asks for a look before training; empty where it does not."""
    of = f"The weights of {weights.arch} ({weights.source})"
    if weights.licence in FREE:
        return ""
    if weights.licence == UNKNOWN:
        return f"{of} have no known licence: find out whether you may use and pass on what is trained from them."
    if FOR_NO_BUSINESS.search(weights.licence):
        return f"{of} are not for commercial use: licence {weights.licence}. What is trained from them is not either."
    return f"{of} have the licence {weights.licence}: read its terms before you pass on what is trained from them."
