"""A goal is reached, missed, or more than that, by what was found."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks.replay.figures import Interval, as_points, as_share
from benchmarks.replay.goals import Goal, goals


@pytest.mark.parametrize(("found", "verdict"), [(0.025, "aim"), (0.015, "must"), (0.005, "**missed**")])
def test_a_lower_bound(found, verdict):
    goal = Goal("better by, points", "here", 0.01, 0.02, Interval(found, 0.0, 0.1), True, as_points)

    assert goal.verdict == verdict
    shown = f"{100 * found:.2f} [0.00, 10.00]"
    assert str(goal) == f"| better by, points | here | ≥ 1.00 | ≥ 2.00 | {shown} | {verdict} |"


def test_what_is_never_reached_is_missed():
    goal = Goal("reached after", "here", 0.5, 0.25, Interval(float("inf"), 0.4, float("inf")), False, as_share)

    assert str(goal) == "| reached after | here | ≤ 50 % | ≤ 25 % | never [40 %, never] | **missed** |"


def compared(world, workers):
    summary = SimpleNamespace(**{name: Interval(0.3, 0.2, 0.4) for name in ("behind", "worst_behind", "reached")})
    names = ("random", "random_twice", "old_search", "ray_tune", "promoting_search")
    return SimpleNamespace(
        table=Path("tiny.safetensors"), world=world, workers=workers, summaries=dict.fromkeys(names, summary)
    )


def test_whole_searches_are_judged_by_values_with_some_workers_and_by_time_with_each_number_above_one():
    every = [compared("forest", workers) for workers in (1, 2, 16)]

    found = list(goals(every[1:2], every, []))

    assert [goal.where for goal in found if "reached" in goal.what] == [
        f"tiny, random forests, {workers} workers" for workers in (2, 16)
    ]
    assert len(found) == 6  # three rivals' values, a worst tenth, and two times


def test_where_there_are_no_samplers_no_search_is_judged():
    assert list(goals([compared("rows", 4)], [compared("rows", 4)], [])) == []
