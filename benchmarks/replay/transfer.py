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
    rule_cells = [Cell(table, WORLD, WORKERS, rule, seeds, TRIALS) for rule in rules().values()]
    return [*rule_cells, reference(rule_cells[0])]


def tuned(tables: Sequence[Path], seeds: int, replays: Callable[[Cell], Replays]) -> list[Tuned]:
    """Returns, for each table, the rule that needs least compute on the others and loses there at most `MOST_BEHIND`.

    For several tables, the compute and the loss of a rule are means over them.
    """
    by_table = {table: _savings(table, seeds, replays) for table in tables}
    results = []
    for judged_table in tables:
        others = [by_table[table] for table in tables if table != judged_table]
        best = min(rules(), key=partial(_sort_key, others))
        results.append(Tuned(judged_table.stem, best, by_table[judged_table][best]))
    return results


def _sort_key(others: list[dict[tuple[Fraction, ...], Saving]], shares: tuple[Fraction, ...]) -> tuple[bool, float]:
    """Returns the key by which rules are sorted: first whether a rule loses too much, then its compute."""
    behind = float(np.mean([each[shares].behind.found for each in others]))
    return behind > MOST_BEHIND, float(np.mean([each[shares].compute.found for each in others]))


def _savings(table: Path, seeds: int, replays: Callable[[Cell], Replays]) -> dict[tuple[Fraction, ...], Saving]:
    *rule_replays, reference_replays = (replays(cell) for cell in cells(table, seeds))
    return {shares: saving(each, reference_replays) for shares, each in zip(rules(), rule_replays, strict=True)}
