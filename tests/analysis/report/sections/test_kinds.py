"""The kinds of model, on a sweep with two of them."""

from sweep.analysis.estimates.choice import Choice, Option, choose
from sweep.analysis.report.page import write_report
from sweep.analysis.report.sections.kinds import kind_rows
from sweep.storage import paths
from tests.sweeps import CNN, MLP, SweepBuilder, noise, varied_sweep


def test_each_kind_has_its_best_trial_and_its_share_of_what_is_chosen(tmp_path):
    record = varied_sweep(tmp_path / "sweep", noise()).record
    ensemble = Option("an ensemble", ((1, 3), (0, 1)), False, 0.8, 0.8, 0.7, 0.9)

    cnn, mlp = kind_rows(record, Choice((ensemble,), ensemble, "", ""))

    assert (cnn.kind, cnn.trials, cnn.best.number, cnn.members, cnn.share) == ("cnn", 1, 1, ((1, 3),), 0.75)
    assert (mlp.kind, mlp.trials, mlp.best.number, mlp.members, mlp.share) == ("mlp", 1, 0, ((0, 1),), 0.25)


def test_a_kind_that_is_not_chosen_has_no_members_and_no_weight(tmp_path):
    record = varied_sweep(tmp_path / "sweep", noise()).record

    rows = kind_rows(record, choose(record))
    write_report(record)

    assert [(row.kind, row.members, row.share) for row in rows] == [("cnn", ((1, 1),), 1.0), ("mlp", (), 0.0)]
    text = (record.folder / paths.REPORT_TEXT).read_text()
    assert "| cnn | 1 | 1 | 80.0 % | 100.0 % | 1 |" in text
    assert "| mlp | 1 | 0 | 50.0 % | - |  |" in text


def test_where_all_are_of_one_kind_nothing_is_said(tmp_path):
    sweep = SweepBuilder(tmp_path / "sweep", noise())
    sweep.add(MLP, [10])
    sweep.add(MLP, [12])
    sweep.add(CNN, [20], "PRUNED", reason="not among the best at its rung")

    assert kind_rows(sweep.record, choose(sweep.record)) == []
