"""Compares policies with each other in one world with a number of workers."""

import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from itertools import compress
from pathlib import Path

from benchmarks.replay.cells import TRIALS, Cell, Replays, reference, replays
from benchmarks.replay.policies import PolicyKind, policy_kind
from benchmarks.replay.summary import Saving, Summary, saving, summaries
from benchmarks.replay.worlds import world_kind
from sweep.storage.sweep_file import Values


@dataclass(frozen=True)
class Comparison:
    """The policies that are compared, and the folder of their replays.

    Attributes:
      table: the file of the table.
      world, names: the names of the world and of the policies.
      workers: the number of workers.
      seeds: the number of seeds.
      folder: the folder of the replays.
    """

    table: Path
    world: str
    workers: int
    names: tuple[str, ...]
    seeds: int
    folder: Path

    def cells(self) -> list[Cell]:
        """Returns the cells that must be replayed."""
        return [*self._budget_cells.values(), *self._trial_cells.values()]

    @cached_property
    def budget(self) -> float:
        """The seconds that a policy has."""
        return float(self._replays(self._budget_cells[world_kind(self.world).judged]).budget)

    @cached_property
    def summaries(self) -> dict[str, Summary]:
        """The results of the policies within the budget."""
        results = {name: self._replays(cell) for name, cell in self._budget_cells.items()}
        return summaries(results, world_kind(self.world).judged)

    @cached_property
    def savings(self) -> dict[str, Saving]:
        """The compute that each policy needed for the same number of trials, and what it lost by that."""
        reference_replays = self._replays(self._trial_cells[world_kind(self.world).reference])
        return {name: saving(self._replays(cell), reference_replays) for name, cell in self._trial_cells.items()}

    def figures(self) -> Values:
        """Returns all figures for a JSON file."""
        return {
            "budget_seconds": self.budget,
            "policies": {name: asdict(summary) for name, summary in self.summaries.items()},
            f"{TRIALS} trials": {name: asdict(each) for name, each in self.savings.items()},
        }

    @property
    def _budget_cells(self) -> dict[str, Cell]:
        return {kind.name: self._cell(kind, None) for kind in self._kinds}

    @property
    def _trial_cells(self) -> dict[str, Cell]:
        """The cells with a fixed number of trials.

        Policies with samplers are left out, except those that the figures need, because they would take hours more.
        """
        world = world_kind(self.world)
        kinds = [kind for kind in self._kinds if kind.budgets == 1]
        are_needed = [not kind.draws_configs or kind.name in (world.judged, world.reference) for kind in kinds]
        return {kind.name: self._cell(kind, TRIALS) for kind in compress(kinds, are_needed)}

    @property
    def _kinds(self) -> list[PolicyKind]:
        """The policies that can search in this world, including those to which its figures are relative."""
        world = world_kind(self.world)
        kinds = [policy_kind(name) for name in dict.fromkeys([*self.names, world.judged, world.reference])]
        return [kind for kind in kinds if world.takes_configs or not kind.draws_configs]

    def _cell(self, kind: PolicyKind, trials: int | None) -> Cell:
        return Cell(self.table, self.world, self.workers, kind, self.seeds, trials)

    def _replays(self, cell: Cell) -> Replays:
        return replays(cell, self.folder)


def replay_all(cells: Iterable[Cell], folder: Path, processes: int) -> None:
    """Replays what the folder lacks, and prints how long each cell took.

    The references come first, because others need them.
    """
    all_cells = dict.fromkeys(cells)
    references = dict.fromkeys(reference(cell) for cell in all_cells)
    with ProcessPoolExecutor(processes) as pool:
        for group in (references, [cell for cell in all_cells if cell not in references]):
            for cell, seconds in zip(group, pool.map(partial(_seconds, folder=folder), group), strict=True):
                limit = "the budget" if cell.trials is None else f"{cell.trials} trials"
                setting = f"{cell.table.stem}, {cell.world}, {cell.workers} workers, {limit}"
                print(f"{seconds:7.1f} s  {setting}: {cell.policy.shown}", file=sys.stderr, flush=True)


def _seconds(cell: Cell, folder: Path) -> float:
    """Returns the processor time for a cell, which is very short if its replays exist."""
    began = time.process_time()
    replays(cell, folder)
    return time.process_time() - began
