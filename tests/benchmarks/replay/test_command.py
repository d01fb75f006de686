"""The command replays tables, keeps what it has done, and writes figures that anybody can read."""

import json

import pytest

from benchmarks.curves import table
from benchmarks.replay import __main__ as command
from benchmarks.replay import cells
from tests.benchmarks.replay.tables import synthetic_table


@pytest.fixture
def paths(tmp_path):
    found = [tmp_path / f"{name}.safetensors" for name in ("one", "two")]
    for seed, path in enumerate(found):
        table.write(path, synthetic_table(seed=seed))
    return found


def run(tmp_path, paths, *words):
    folder = tmp_path / "results"
    all_words = [str(folder), "--tables", *map(str, paths), "--worlds", "rows", "--seeds", "3", *words]
    assert command.main(all_words) == 0
    return json.loads((folder / "replay.json").read_text()), (folder / "replay.md").read_text()


def test_figures_of_every_policy_that_can_search_in_the_world(tmp_path, paths):
    figures, page = run(tmp_path, paths, "--workers", "1", "4", "--processes", "2")

    assert set(figures) == {
        "tables",
        "seeds",
        *(f"{name}, rows, {n} workers" for name in ("one", "two") for n in (1, 4)),
    }
    of_four = figures["one, rows, 4 workers"]
    assert set(of_four["policies"]) == {"random", "random_twice", "one_epoch", "old_rungs", "promotion"}
    assert of_four["50 trials"]["old_rungs"]["compute"] == {"found": 1.0, "low": 1.0, "high": 1.0}
    assert of_four["50 trials"]["random"]["compute"]["found"] > 1.5  # it stops nothing
    regrets = [each["found"] for each in of_four["policies"]["random_twice"]["regret"]]
    assert regrets == sorted(regrets, reverse=True)
    assert "| random, twice the budget |" in page
    assert "| policy | 1 worker | 4 workers |" in page
    assert figures["tables"]["one"] in {cells.table_hash(path) for path in paths}


def test_what_was_replayed_is_used_again(tmp_path, paths, monkeypatch):
    first = run(tmp_path, paths, "--workers", "4", "--policies", "random")
    monkeypatch.setattr(cells, "_replay", None)

    assert run(tmp_path, paths, "--workers", "4", "--policies", "random") == first


def test_a_rule_that_is_judged_on_a_table_was_tuned_on_the_other_one(tmp_path, paths, monkeypatch):
    from benchmarks.replay import transfer
    from benchmarks.replay.transfer import HALF, ONE, THIRD

    monkeypatch.setattr(transfer, "SHARES", ((ONE, HALF), (THIRD,), (THIRD,)))

    figures, page = run(tmp_path, paths, "--workers", "4", "--policies", "random", "--tune")

    assert [each["judged_on"] for each in figures["tuned"]] == ["one", "two"]
    assert all(each["shares"][1:] == ["1/3", "1/3"] for each in figures["tuned"])
    assert "### Shares tuned on the other tables" in page
    assert "| compute, of the old rungs' | one, shares of the others | ≤ 0.75 | ≤ 0.57 |" in page
