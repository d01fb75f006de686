"""Writes the replays as a section of BENCHMARKS.md; the JSON file has all figures."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.conditions import conditions
from benchmarks.curves.table import Table
from benchmarks.replay.cells import TRIALS, table_hash
from benchmarks.replay.comparison import Comparison
from benchmarks.replay.figures import as_number, as_points, as_share
from benchmarks.replay.goals import Goal
from benchmarks.replay.policies import policy_kind
from benchmarks.replay.summary import SHOWN_AT
from benchmarks.replay.transfer import MOST_BEHIND, WORKERS, Tuned
from benchmarks.replay.worlds import world_kind
from sweep.storage.text import counted

TITLE = "## Searches, replayed on learning curves"


def head(command: str, tables: Mapping[Path, Table], seeds: int) -> Iterator[str]:
    """Yields the text of the section before its tables of results."""
    yield TITLE
    yield ""
    yield (
        "Nothing is trained here: searches are replayed on recorded curves, on a simulated clock with the recorded "
        "seconds. A search chooses by one half of the validation images, in random halves, and what it has chosen is "
        "judged by the other half; then they are swapped. A search that has begun every recorded config draws no more. "
        "Regret is how far the choice is below the best recorded config; normalised, it is 1 for the median config. "
        "The best is the highest of many noisy values, so no search has a regret of 0; that is the same for all. The "
        f"budget is the time that the reference needs for {TRIALS} trials in the median. In brackets are 95 % "
        "intervals of a bootstrap over the seeds, each of which has the same draws for all policies."
    )
    yield ""
    yield conditions(command, f"{seeds} seeds with two halves each: {2 * seeds} replays of each policy")
    yield ""
    yield "| table | configs | recorded | validation images | space | SHA-256 of the table |"
    yield "| --- | ---: | ---: | ---: | --- | --- |"
    for path, table in tables.items():
        about, rows = table.about, sum(curve.repeat == 0 for curve in table.curves)
        extent = "all" if len(table.curves) >= about.rows else f"**{len(table.curves)} of {about.rows} curves**"
        space = f"{about.space[0]} {about.space[1]}"
        yield f"| {about.name} | {rows} | {extent} | {about.valid_images} | {space} | `{table_hash(path)[:16]}` |"


def comparison(results: Comparison) -> Iterator[str]:
    """Yields two tables with a row for each policy: with the same budget, and with the same number of trials."""
    kind = world_kind(results.world)
    judged = policy_kind(kind.judged).shown
    workers = counted(results.workers, "worker")
    yield ""
    yield f"### {results.table.stem}, {kind.shown}, {workers}, {results.budget:,.0f} s"
    yield ""
    shares = " | ".join(f"at {100 * fraction:.0f} %" for fraction in SHOWN_AT)
    judgement = f"{judged} is better by, points | and has reached its end after"
    yield f"| policy | normalised regret {shares} | regret, points | mean rank | worst tenth | {judgement} | trials |"
    yield f"| --- |{' ---: |' * (len(SHOWN_AT) + 6)}"
    for name, summary in results.summaries.items():
        cells = [
            policy_kind(name).shown,
            *(f"{each.found:.3f}" for each in summary.normalised[:-1]),
            as_number(summary.normalised[-1], digits=3),
            as_points(summary.regret[-1]),
            f"{summary.rank[-1]:.2f}",
            as_number(summary.worst_tenth, digits=3),
            as_points(summary.behind) if name != kind.judged else "",
            as_share(summary.reached) if name != kind.judged else "",
            f"{summary.trials:.0f}",
        ]
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield f"| {TRIALS} trials each | compute, of that of {policy_kind(kind.reference).shown} | loses, points |"
    yield "| --- | ---: | ---: |"
    for name, each in results.savings.items():
        yield f"| {policy_kind(name).shown} | {as_number(each.compute)} | {as_points(each.behind)} |"


def times(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """Yields a table of when each policy's final value was reached, by the number of workers.

    Args:
      comparisons: the same policies in the same world, with several numbers of workers.
    """
    first, kind = comparisons[0], world_kind(comparisons[0].world)
    yield ""
    yield (
        f"### {first.table.stem}, {kind.shown}: the share of the time after which “{policy_kind(kind.judged).shown}” "
        "has what the others have at their end"
    )
    yield ""
    yield f"| policy | {' | '.join(counted(each.workers, 'worker') for each in comparisons)} |"
    yield f"| --- |{' ---: |' * len(comparisons)}"
    for name in first.summaries:
        if name != kind.judged:
            shares = [as_share(each.summaries[name].reached) for each in comparisons]
            yield f"| {policy_kind(name).shown} | {' | '.join(shares)} |"


def goals(all_goals: Iterable[Goal]) -> Iterator[str]:
    """Yields a table of the goals of the search, and whether they are reached."""
    if rows := list(map(str, all_goals)):
        yield from (
            "",
            "| what | where | must | aim | found | reached |",
            "| --- | --- | ---: | ---: | ---: | --- |",
            *rows,
        )


def known(names: Sequence[str], tables: Mapping[Path, Table]) -> Iterator[str]:
    """Yields sentences on how well worlds predict configs that are not in their tables."""
    for world in map(world_kind, names):
        for path, table in tables.items():
            if figures := world.known(table):
                text = ", ".join(f"{name} {figure:.2f}" for name, figure in figures.items())
                yield ""
                yield f"{path.stem}, {world.shown}, of configs that were not seen: {text}."


def transfers(tuned: Sequence[Tuned]) -> Iterator[str]:
    """Yields a table of the rules that were tuned on the other tables."""
    yield ""
    yield "### Shares tuned on the other tables"
    yield ""
    yield (
        f"Of {TRIALS} random configs at {WORKERS} workers: the shares that need least compute on the other tables, of "
        f"those that lose at most {100 * MOST_BEHIND:.2f} points there against the old rungs."
    )
    yield ""
    yield "| judged on | shares after one epoch, a ninth, a third | compute, of the old rungs' | loses, points |"
    yield "| --- | --- | ---: | ---: |"
    for each in tuned:
        shares, saving = ", ".join(map(str, each.shares)), each.saving
        yield f"| {each.judged_on} | {shares} | {as_number(saving.compute)} | {as_points(saving.behind)} |"
