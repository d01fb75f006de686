"""The cells of the comparison, each of which is one policy replayed many times in one world, and their storage."""

import hashlib
import math
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.curves.table import read
from benchmarks.replay.clock import search
from benchmarks.replay.contract import Limit
from benchmarks.replay.figures import chosen_values
from benchmarks.replay.policies import PolicyKind, Task, policy_kind
from benchmarks.replay.spaces import old_space_of, space_of
from benchmarks.replay.worlds import Worlds, world_kind
from sweep.search.spaces import own_number
from sweep.storage.files import written_whole

HALVES = 2  # the images are split in two, and each half is used once to choose
TRIALS = 50
FRACTIONS = np.linspace(0, 1, 101)[1:]  # the parts of the budget after which the value of a search's choice is noted
ROOT = Path(__file__).resolve().parents[2]
CODE = (
    "benchmarks/replay",
    "search/pruners",
    "search/samplers",
    "search/spaces",
    "search/portfolios",
    "search/runtime",
)
READERS = (
    "__main__.py",
    "comparison.py",
    "goals.py",
    "page.py",
    "summary.py",
    "transfer.py",
)  # these files only read stored replays, so that these stay valid when the files change


@dataclass(frozen=True)
class Cell:
    """The replays of one policy under seeds from 0 on, twice for each seed: once with either half of the images.

    Attributes:
      table: the file of the table.
      world: the name of the world.
      workers: the number of workers.
      policy: the policy that searches.
      seeds: the number of seeds.
      trials: the number of trials; None if the limit is the budget of the world.
    """

    table: Path
    world: str
    workers: int
    policy: PolicyKind
    seeds: int
    trials: int | None = None


@dataclass(frozen=True, eq=False)
class Replays:
    """The results of a cell; the first two dimensions are the seed and the half of the images that was used to choose.

    Attributes:
      budget: the seconds that the policy had; infinite if the number of trials was limited.
      chosen: (seeds, 2, fractions) the value of the choice at each fraction of the budget; constant without a budget.
      best, blind: (seeds, 2) the figures of the worlds, see `contract.World`.
      compute, ended: (seeds, 2) seconds, see `clock.Log`.
      trials: (seeds, 2) the number of trials that were begun.
    """

    budget: float
    chosen: np.ndarray
    best: np.ndarray
    blind: np.ndarray
    compute: np.ndarray
    ended: np.ndarray
    trials: np.ndarray


def replays(cell: Cell, folder: Path) -> Replays:
    """Returns the replays of a cell, from the folder if they were done before with this table and this code."""
    path = folder / f"{_key(cell)}.npz"
    if not path.exists():
        new_replays = _replay(cell, _budget(cell, folder))
        with written_whole(path) as partial, partial.open("wb") as file:
            np.savez(file, **asdict(new_replays))
    with np.load(path, allow_pickle=False) as file:
        return Replays(**{name: file[name][()] for name in file})


def reference(cell: Cell) -> Cell:
    """Returns the cell whose time is the budget of this one."""
    policy = policy_kind(world_kind(cell.world).reference)
    return replace(cell, policy=policy, trials=TRIALS)


def _budget(cell: Cell, folder: Path) -> float:
    """Returns the median seconds that the reference needs for its trials, times the policy's number of budgets."""
    if cell.trials is not None:
        return math.inf
    return cell.policy.budgets * float(np.median(replays(reference(cell), folder).ended))


def _replay(cell: Cell, budget: float) -> Replays:
    limit = Limit(cell.trials, budget)
    times = FRACTIONS * budget
    rows = [[_replay_half(cell, limit, times, seed, half) for half in range(HALVES)] for seed in range(cell.seeds)]
    names = ("chosen", "best", "blind", "compute", "ended", "trials")
    return Replays(budget, **{name: np.array([[each[name] for each in row] for row in rows]) for name in names})


def _replay_half(cell: Cell, limit: Limit, times: np.ndarray, seed: int, half: int) -> dict[str, float | np.ndarray]:
    about = read_once(cell.table).about
    space_name = (about.space[0], own_number(*about.space))
    world = _worlds(cell.table, cell.world)(seed, half)
    policy = cell.policy.new(Task(seed, space_of(about), space_name, old_space_of(about), limit))
    log = search(policy, world, cell.workers, limit)
    return {
        "chosen": chosen_values(log, times, world.blind),
        "best": world.best,
        "blind": world.blind,
        "compute": log.compute,
        "ended": log.ended,
        "trials": len(log.trainings),
    }


@cache
def _worlds(table: Path, world: str) -> Worlds:
    return world_kind(world).new(read_once(table))


read_once = cache(read)


@cache
def table_hash(table: Path) -> str:
    """Returns the SHA-256 of a table's file as hexadecimal digits."""
    return hashlib.sha256(table.read_bytes()).hexdigest()


@cache
def _code_hash() -> str:
    files = sorted(file for folder in CODE for file in (ROOT / folder).rglob("*.py") if file.name not in READERS)
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _key(cell: Cell) -> str:
    """Returns a file name that differs for another table and after a change of the code."""
    limit = "budget" if cell.trials is None else f"{cell.trials}-trials"
    name = f"{cell.table.stem}-{cell.world}-{cell.policy.name}-{limit}-{cell.workers}-workers-{cell.seeds}-seeds"
    return f"{name}-{table_hash(cell.table)[:8]}-{_code_hash()[:8]}"
