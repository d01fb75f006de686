"""Tunes the shares of the rungs on all tables but one, and judges them on that one, for each table in turn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from benchmarks.replay.cells import TRIALS, Cell, Replays, reference
from benchmarks.replay.policies import PolicyKind, promotion
from benchmarks.replay.summary import Saving, saving

MOST_BEHIND = 0.0015  # the value that a tuned rule may lose against the old rungs
ONE, TWO_THIRDS, HALF, THIRD = Fraction(1), Fraction(2, 3), Fraction(1, 2), Fraction(1, 3)
SHARES = ((ONE, TWO_THIRDS, HALF, THIRD), (ONE, HALF, THIRD), (ONE, HALF, THIRD))  # the shares tried at each rung
WORLD, WORKERS = "rows", 4


@dataclass(frozen=True)
class Tuned:
    """The rule that was chosen without a table, and what it saved on that table.

    Attributes:
      judged_on: the table's name.
      shares: the shares that were chosen on the other tables.
      saving: what they saved on this one.
    """

    judged_on: str
    shares: tuple[Fraction, ...]
    saving: Saving


def rules() -> dict[tuple[Fraction, ...], PolicyKind]:
    """Returns the policies that are tried, by their shares."""
    return {shares: _rule(shares) for shares in product(*SHARES)}


def _rule(shares: tuple[Fraction, ...]) -> PolicyKind:
    name = "-".join(f"{share.numerator}of{share.denominator}" for share in shares)
    shown = f"promotion, {', '.join(map(str, shares))}"
    return PolicyKind(f"promotion-{name}", shown, partial(promotion.new, shares=shares), draws_configs=False)


def cells(table: Path, seeds: int) -> list[Cell]:
    """Returns the cells that must be replayed on a table: each rule, and the old rungs."""
    of_rules = [Cell(table, WORLD, WORKERS, rule, seeds, TRIALS) for rule in rules().values()]
    return [*of_rules, reference(of_rules[0])]


def tuned(tables: Sequence[Path], seeds: int, replays: Callable[[Cell], Replays]) -> list[Tuned]:
    """Returns, for each table, the rule that needs least on the others and loses there at most `MOST_BEHIND`.

    What a rule needs or loses on several tables is the mean over these.
    """
    by_table = {table: _savings(table, seeds, replays) for table in tables}
    found = []
    for judged in tables:
        others = [by_table[table] for table in tables if table != judged]
        best = min(rules(), key=partial(_need, others))
        found.append(Tuned(judged.stem, best, by_table[judged][best]))
    return found


def _need(others: list[dict[tuple[Fraction, ...], Saving]], shares: tuple[Fraction, ...]) -> tuple[bool, float]:
    """Returns the key by which rules are sorted: first whether a rule loses too much, then what it needs."""
    behind = float(np.mean([each[shares].behind.found for each in others]))
    return behind > MOST_BEHIND, float(np.mean([each[shares].compute.found for each in others]))


def _savings(table: Path, seeds: int, replays: Callable[[Cell], Replays]) -> dict[tuple[Fraction, ...], Saving]:
    *of_rules, of_reference = (replays(cell) for cell in cells(table, seeds))
    return {shares: saving(each, of_reference) for shares, each in zip(rules(), of_rules, strict=True)}
