"""Replays searches on tables of learning curves; writes figures as JSON and as a section of BENCHMARKS.md.

    python -m benchmarks.replay RESULTS                      # everything, into the folder RESULTS; resumable
    python -m benchmarks.replay RESULTS --worlds rows        # only the policies without a sampler
    python -m benchmarks.replay RESULTS --tables tiny cifar --workers 4 --seeds 20 --policies random ray_tune

On one core, 200 replays of 250 configs take two minutes per table without samplers, and four more with --tune. With
samplers they take two hours per table and world, because Optuna's TPE needs 20 ms per trial.

Replays are kept in RESULTS/replays and reused while the tables and the code stay the same. RESULTS also gets
`replay.json`, with every figure, and `replay.md`; --page puts the latter into BENCHMARKS.md.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from itertools import groupby
from pathlib import Path

from benchmarks.curves.table import SUFFIX, TABLES
from benchmarks.page import put
from benchmarks.replay import page, policies, transfer, worlds
from benchmarks.replay.cells import read_once, replays, table_hash
from benchmarks.replay.comparison import Comparison, replay_all
from benchmarks.replay.figures import finite
from benchmarks.replay.goals import goals

SEEDS = 100
WORKERS = 1, 2, 4, 16
SHOWN_WORKERS = 4  # the page shows this number of workers, or the nearest one; the JSON file has all


def main(words: Sequence[str]) -> int:
    """Replays what is missing and writes the figures; returns the exit code."""
    options = _options(words)
    tables = [path if (path := Path(name)).suffix else TABLES / f"{name}{SUFFIX}" for name in options.tables]
    replays_folder = options.results / "replays"
    replays_folder.mkdir(parents=True, exist_ok=True)
    comparisons = [
        Comparison(path, world, workers, tuple(options.policies), options.seeds, replays_folder)
        for path in tables
        for world in options.worlds
        for workers in options.workers
    ]
    cells = [cell for each in comparisons for cell in each.cells()]
    if options.tune:
        cells += [cell for path in tables for cell in transfer.cells(path, options.seeds)]
    replay_all(cells, replays_folder, options.processes)
    command = " ".join(["python -m benchmarks.replay", *words])
    lines = list(page.head(command, {path: read_once(path) for path in tables}, options.seeds))
    figures: dict[str, object] = {"tables": {path.stem: table_hash(path) for path in tables}, "seeds": options.seeds}
    tuned = transfer.tuned(tables, options.seeds, partial(replays, folder=replays_folder)) if options.tune else []
    groups = [list(group) for _, group in groupby(comparisons, lambda each: (each.table, each.world))]
    main_comparisons = [min(group, key=lambda each: abs(each.workers - SHOWN_WORKERS)) for group in groups]
    lines += page.goals(goals(main_comparisons, comparisons, tuned))
    for group, main_comparison in zip(groups, main_comparisons, strict=True):
        figures |= {f"{each.table.stem}, {each.world}, {each.workers} workers": each.figures() for each in group}
        lines += [*page.comparison(main_comparison), *page.times(group)]
    lines += page.known(options.worlds, {path: read_once(path) for path in tables})
    if tuned:
        figures["tuned"] = [asdict(each) | {"shares": list(map(str, each.shares))} for each in tuned]
        lines += page.transfers(tuned)
    (options.results / "replay.json").write_text(json.dumps(finite(figures), indent=1, allow_nan=False) + "\n")
    (options.results / "replay.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    if options.page:
        put(lines)
    return 0


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replay")
    names = sorted(path.name.removesuffix(SUFFIX) for path in TABLES.glob(f"*{SUFFIX}"))
    parser.add_argument("results", type=Path, help="folder of the results, and of what was replayed so far")
    parser.add_argument("--tables", nargs="+", default=names, help="names in benchmarks/curves/tables, or files")
    parser.add_argument("--worlds", nargs="+", default=worlds.NAMES, choices=worlds.NAMES)
    parser.add_argument("--policies", nargs="+", default=policies.NAMES, choices=policies.NAMES)
    parser.add_argument("--workers", nargs="+", type=int, default=WORKERS)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="each is replayed twice, once a half of the images")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--tune", action="store_true", help="also tune the rungs' shares on all tables but one")
    parser.add_argument("--page", action="store_true", help="write the section of BENCHMARKS.md")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
