"""What the report says, against values computed by hand."""

import re
from dataclasses import replace

import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from plotly.offline import get_plotlyjs

from sweep.analysis.record import Record
from sweep.analysis.report import page as analysis_report_page_module
from sweep.analysis.report.charts import linear_axis, log_axis
from sweep.analysis.report.contents import progress
from sweep.analysis.report.page import write_report
from sweep.analysis.report.sections import importance
from sweep.analysis.report.sections.advice import next_steps
from sweep.analysis.report.sections.cost import by_state, pareto, saving, slowest
from sweep.analysis.report.sections.history import learning_curves, over_time
from sweep.analysis.report.sections.importance import importances
from sweep.analysis.report.sections.leaders import leaders
from sweep.analysis.report.sections.pictures import confident_mistakes, doubts
from sweep.analysis.report.sections.ranges import Advice, Range, _advice, place_in, ranges, to_widen
from sweep.analysis.report.sections.slices import slices
from sweep.storage.files import read_json
from sweep.storage.paths import trial_folder
from tests.sweeps import CNN, MLP, SweepBuilder, noise, varied_sweep

SECTIONS = [
    "The answer",
    "Progress",
    "The best configs",
    "What mattered",
    "Is the best value at the edge of its range?",
    "Learning curves",
    "Classes, confidence, mistakes",
    "Failures",
    "Time and cost",
    "How to reproduce",
]
pytestmark = pytest.mark.figures
MOST_BYTES = 8_000_000


@pytest.fixture(scope="module")
def data():
    return noise()


@pytest.fixture
def without_pngs(monkeypatch):
    """They take most of the time of a report."""
    for name in ("render", "render_pictures"):
        monkeypatch.setattr(analysis_report_page_module, name, lambda _: b"")


@pytest.fixture
def sweep(tmp_path, data):
    return SweepBuilder(tmp_path / "sweep", data)


@pytest.fixture(scope="module")
def varied(tmp_path_factory, data):
    """A sweep in every state, with its report; not to be changed."""
    built = varied_sweep(tmp_path_factory.mktemp("report") / "sweep", data)
    write_report(built.record)
    return built.folder


def texts(folder):
    """Both reports without marks and tags, on one line."""
    page = re.sub(r"<(script|style).*?</\1>", " ", (folder / "report.html").read_text(), flags=re.DOTALL)
    both = re.sub(r"<[^>]*>", " ", page), re.sub(r"[\\*]", "", (folder / "report.md").read_text())
    return [" ".join(text.split()) for text in both]


def answer(sweep, number, wrong, sure=4.0):
    """Makes a trial right but for the images `wrong`, {image: (class, logit)}."""
    labels = sweep.data.valid.labels
    logits = sure * np.eye(3, dtype=np.float32)[labels]
    for image, (label, logit) in wrong.items():
        logits[image] = logit * np.eye(3)[label]
    folder = trial_folder(sweep.folder, number)
    np.save(folder / "valid_logits.npy", logits)
    epochs = len(np.load(folder / "valid_classes.npy"))
    np.save(folder / "valid_classes.npy", np.tile(logits.argmax(axis=1).astype(np.uint8), (epochs, 1)))


def set_seconds(sweep, number, seconds):
    """Of each epoch of a trial."""
    path = trial_folder(sweep.folder, number) / "history.json"
    text = re.sub(r'"seconds": [\d.]+', f'"seconds": {seconds}', path.read_text())
    path.write_text(text)


def keep_images(sweep):
    ids, labels = sweep.data.valid.ids, sweep.data.valid.labels
    rows = [f"validation,{name},{label},{'0' * 16}" for name, label in zip(ids, labels, strict=True)]
    (sweep.folder / "data.csv").write_text("\n".join(["split,id,label,sha256", *rows]) + "\n")
    np.save(sweep.folder / "valid_images.npy", sweep.data.valid.images.transpose(0, 2, 3, 1))


def test_every_section_is_there_in_order_and_both_reports_are_small(varied):
    page, text = (varied / "report.html").read_text(), (varied / "report.md").read_text()

    assert re.findall(r"<h2>(.*?)</h2>", page) == SECTIONS
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS
    assert len(page) < MOST_BYTES
    pngs = re.findall(r"\(figures/([\w-]+\.png)\)", text)
    assert sorted(pngs) == sorted(path.name for path in (varied / "figures").iterdir())
    assert {"history.png", "time.png", "slices.png", "ranges.png", "confusion.png", "calibration.png"} <= set(pngs)


def test_no_figure_stands_without_a_sentence(varied):
    page = (varied / "report.html").read_text()

    figures = re.findall(r"<figure.*?</figure>", page, re.DOTALL)
    assert len(figures) >= 8
    assert all(re.search(r"<figcaption>[A-Z][^<]{40,}\.</figcaption>", figure) for figure in figures)


def test_plotly_knows_every_property_and_number_of_the_figures(varied):
    import json

    from plotly.graph_objects import Figure

    page = (varied / "report.html").read_text()
    figures = re.findall(r'<script type="application/json">(.*?)</script>', page, re.DOTALL)
    assert figures
    for figure in figures:
        Figure(json.loads(figure))  # raises for what it does not know


def test_the_page_runs_its_own_scripts_alone(varied):
    page = (varied / "report.html").read_text()

    policy = re.search(r'http-equiv="Content-Security-Policy" content="(.*?)"', page)[1].replace("&#39;", "'")
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-")
    assert "eval" not in policy
    assert len(re.findall(r"<script>", page)) == policy.count("sha256-") == 2
    assert "</script" not in get_plotlyjs()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, "running, 5 of 8 trials ended, 1 RUNNING (unless its driver was killed)"),
        ({"stopped": "SIGINT"}, "interrupted (SIGINT), 5 of 8 trials ended, 1 RUNNING"),
    ],
)
def test_how_far_a_sweep_is(varied, change, says):
    record = Record(varied)
    record.file.starts[-1] = replace(record.file.starts[-1], **change)

    assert progress(record) == says


def test_a_sweep_whose_trials_have_all_ended_is_finished(sweep):
    for _ in range(8):
        sweep.add(MLP, [9])

    assert progress(sweep.record) == "finished, 8 of 8 trials ended"


def test_the_most_confident_mistakes_come_first(sweep):
    number = sweep.add(MLP, [27])
    answer(sweep, number, {4: (2, 3.0), 7: (0, 9.0), 0: (1, 6.0)})
    keep_images(sweep)
    record = sweep.record

    found = confident_mistakes(record, record.best)

    assert [(picture.id, picture.label) for picture in found] == [
        ("validation07.png", "1"),
        ("validation00.png", "0"),
        ("validation04.png", "1"),
    ]
    sure = np.exp(3) / (np.exp(3) + 2)
    assert found[2].said == f"2, {100 * sure:.0f} %"
    assert np.array_equal(found[1].pixels, sweep.data.valid.images[0].transpose(1, 2, 0))


def test_a_label_is_doubted_where_all_good_trials_say_the_same_other_class(sweep):
    for wrong in (
        {3: (1, 5.0), 6: (2, 5.0), 9: (1, 5.0)},
        {3: (1, 2.0), 6: (1, 5.0), 9: (1, 5.0)},  # of 6 it says another class, of 3 it is less sure
        {3: (1, 2.0), 9: (1, 5.0)},
    ):
        answer(sweep, sweep.add(MLP, [27]), wrong)
    answer(sweep, sweep.add(CNN, [6]), {})  # not good: more than two standard errors below

    found = doubts(sweep.record)

    assert (found.trials, found.found) == (3, 2)
    assert [(picture.id, picture.label, picture.said[0]) for picture in found.pictures] == [
        ("image 9", "0", "1"),
        ("image 3", "0", "1"),
    ]


def test_without_three_good_trials_no_label_is_doubted_and_that_is_said(sweep, without_pngs):
    sweep.add(MLP, [27])
    sweep.add(MLP, [9])
    write_report(sweep.record)

    assert doubts(sweep.record).found == 0
    for text in texts(sweep.folder):
        assert "Not asked: that takes 3 good trials, COMPLETE ones within two standard errors" in text
        assert "and there is 1." in text


def test_images_are_shown_where_they_were_kept_and_their_names_where_not(sweep):
    for _ in range(3):
        answer(sweep, sweep.add(MLP, [27]), {3: (1, 5.0)})
    write_report(sweep.record)
    for text in texts(sweep.folder):
        assert text.count("This sweep kept no images to show") == 2
        assert "image 3" in text
    assert not (sweep.folder / "figures" / "mistakes.png").exists()

    keep_images(sweep)
    write_report(sweep.record)
    page = (sweep.folder / "report.html").read_text()
    assert "kept no images" not in page
    assert page.count('<img src="data:image/png;base64,') == 2
    assert "validation03.png" in page
    assert (sweep.folder / "figures" / "doubts.png").exists()


def test_importances_spread_over_draws_of_the_trials(sweep, monkeypatch):
    monkeypatch.setattr(importance, "DRAWS", 4)
    for number in range(12):
        sweep.add(replace(MLP, lr=10 ** -(1 + number / 6)), [30 - 2 * number])
    record = sweep.record

    found, why_not = importances(record)

    assert [row.name for row in found], why_not == (["lr", "arch"], "")
    assert sum(row.share for row in found) == pytest.approx(1)
    rng, trials = np.random.default_rng(importance.SEED), record.study.get_trials()
    drawn = []
    for _ in range(4):
        study = optuna.create_study(direction="maximize")
        study.add_trials([trials[i] for i in rng.integers(0, 12, 12)])
        drawn.append(get_param_importances(study, evaluator=PedAnovaImportanceEvaluator(target_quantile=5 / 12))["lr"])
    assert (found[0].low, found[0].high) == pytest.approx(tuple(np.percentile(drawn, (5, 95))))


def test_a_place_in_a_range_is_along_its_own_scale():
    assert place_in(FloatDistribution(1e-4, 1.0, log=True), 1e-2) == pytest.approx(0.5)
    assert place_in(FloatDistribution(0.0, 0.8), 0.2) == pytest.approx(0.25)
    assert place_in(IntDistribution(5, 40), 40) == 1


def test_a_best_value_at_the_edge_of_its_range_asks_for_a_wider_one(sweep):
    sweep.add(replace(MLP, lr=0.9), [27])
    sweep.add(replace(MLP, lr=0.01), [24])
    record = sweep.record

    (row,) = ranges(record)

    assert (row.name, row.low, row.high, row.best) == ("lr", "0.0001", "1", "0.9")
    assert row.leaders == pytest.approx((1 + np.log10(0.9) / 4, 0.5))
    assert (row.side, row.words) == ("high", "at its edge: widen it upwards")
    record.settings.trials = 2
    steps = [step.text for step in next_steps(record, [row], None, None)]
    assert any(text.startswith("Search wider: lr (high end).") for text in steps)


def test_a_range_is_too_narrow_too_where_most_of_the_best_lie_near_its_edge(sweep):
    for lr, right in ((2e-4, 27), (2e-4, 26), (2e-4, 25), (0.01, 24)):
        sweep.add(replace(MLP, lr=lr), [right])
    (row,) = ranges(sweep.record)
    assert (row.side, row.words) == ("low", "most of the best 4 are near its edge: widen it downwards")


def test_a_range_that_begins_at_0_or_1_may_not_go_lower():
    assert _advice("p_flip", FloatDistribution(0, 0.7), "low", 30) == Advice.AS_LOW_AS_CAN_BE
    assert _advice("depth", IntDistribution(1, 2), "low", 30) == Advice.AS_LOW_AS_CAN_BE
    assert _advice("width", FloatDistribution(1, 4), "low", 30) == Advice.WIDEN_DOWNWARDS
    lowest = Range("p_flip", "0", "0.7", "0.02", 0.03, (0.03,), "low", Advice.AS_LOW_AS_CAN_BE)
    assert lowest.words == "at its edge; 0 may be as low as it can be"


def test_epochs_at_the_upper_end_ask_for_more_where_the_sweep_has_none_left():
    assert _advice("epochs", IntDistribution(5, 30), "high", 30) == Advice.MORE_EPOCHS
    assert _advice("epochs", IntDistribution(5, 20), "high", 30) == Advice.WIDEN_UPWARDS


def test_a_net_that_sees_all_pixels_of_the_images_asks_for_larger_images_not_for_a_wider_range():
    assert _advice("input_size", IntDistribution(160, 224, step=64), "high", 30, 224) == Advice.MORE_PIXELS
    assert _advice("input_size", IntDistribution(64, 128, step=32), "high", 30, 16) == Advice.WIDEN_UPWARDS


def test_trials_of_one_epoch_have_no_learning_curve(sweep):
    head = sweep.add(replace(MLP, epochs=1, lr=0.02), [29])
    assert learning_curves(sweep.record) is None

    sweep.add(replace(MLP, lr=0.03), [12, 15])
    texts = [text for series in learning_curves(sweep.record).charts[0].series for text in series.texts or ()]
    assert texts
    assert not [text for text in texts if text.startswith(f"trial {head},")]


def test_a_best_value_inside_its_range_asks_for_nothing(sweep):
    sweep.add(replace(MLP, lr=0.01), [27])
    rows = ranges(sweep.record)
    assert [row.words for row in rows] == ["inside"]
    assert to_widen(rows) == ""


def test_a_slice_shows_each_trial_that_has_the_parameter(varied):
    by_name = {chart.title: chart for chart in slices(Record(varied)).charts}
    assert set(by_name) == {"arch", "lr"}
    points = {series.style: list(zip(series.x, series.y, strict=True)) for series in by_name["lr"].series}
    assert points == {
        "PRUNED": [(0.01, 90.0)],
        "COMPLETE": [(0.01, 50.0), (0.5, 80.0)],
        "best": [(0.5, 80.0)],
    }
    assert by_name["lr"].x.is_log


def test_what_differs_from_the_best_is_marked_and_what_all_share_is_said_once(varied):
    found = leaders(Record(varied))
    assert [trial.number for trial in found.trials] == [1, 0, 2]
    assert found.columns == ["arch", "lr"]
    assert [[(cell.text, cell.differs) for cell in row] for row in found.cells] == [
        [("cnn", False), ("0.5", False)],
        [("mlp", True), ("0.01", True)],
        [("mlp", True), ("0.01", True)],
    ]
    page = (varied / "report.html").read_text()
    assert page.count("<mark>mlp</mark>") == 2
    assert "<mark>cnn</mark>" not in page


def test_pruning_saved_the_epochs_that_were_not_trained_at_the_pace_of_each_trial(varied):
    record = Record(varied)

    found = saving(record)

    assert (found.trials, found.epochs, found.seconds) == (1, 2, 0.5)  # 2 of 4 epochs at 0.25 s
    assert found.share == pytest.approx(0.5 / (0.5 + 2.75))
    assert [(row.state, row.trials, row.epochs, row.seconds) for row in by_state(record)] == [
        ("COMPLETE", 2, 8, 2.0),
        ("PRUNED", 1, 2, 0.5),
        ("FAIL", 2, 1, 0.25),
    ]
    for text in texts(varied):
        assert (
            "15.4 % of what the sweep would have taken: 1 trial ended early, 2 epochs in all were not trained" in text
        )


def test_no_complete_trial_beats_one_on_the_front_in_both_value_and_time(sweep):
    for right, seconds in ((20, 3.0), (18, 1.0), (18, 2.0), (24, 3.0), (22, 9.0)):
        set_seconds(sweep, sweep.add(MLP, [right]), seconds)
    set_seconds(sweep, sweep.add(MLP, [27], "PRUNED"), 0.5)
    record = sweep.record

    assert [trial.number for trial in pareto(record)] == [1, 3]
    assert [trial.number for trial in slowest(record)] == [4, 0, 3, 2, 1]


def test_time_is_the_training_time_up_to_the_end_of_each_trial(varied):
    (chart,) = over_time(Record(varied)).charts
    best = next(series for series in chart.series if series.style == "best so far")
    assert best.x == [1.0, 2.0, 2.75]  # seconds: of the two COMPLETE trials, and of all
    assert best.y == [50.0, 80.0, 80.0]
    assert chart.x.title == "training time of all trials so far (seconds)"


@pytest.mark.parametrize("name", ["history.json", "valid_classes.npy", "valid_logits.npy"])
@pytest.mark.parametrize("number", [0, 1])  # the best is 1
def test_a_report_over_damaged_trials_comes_and_names_them(tmp_path, data, name, number, without_pngs):
    sweep = varied_sweep(tmp_path / "sweep", data)
    path = trial_folder(sweep.folder, number) / name
    path.write_bytes(path.read_bytes()[:-9])

    write_report(sweep.record)

    for text in texts(sweep.folder):
        assert "Kept files of 1 trial are damaged." in text
        assert re.search(rf"trial {number}: \S*/trials/000{number}/{name}:", text)
        assert "80.00 % validation accuracy after epoch 3 of 4" in text  # by the ledger
        assert ("Not shown: what was kept of the best trial, 1, is damaged" in text) == (number == 1)
    assert re.findall(r"<h2>(.*?)</h2>", (sweep.folder / "report.html").read_text()) == SECTIONS


def test_the_next_step_of_a_sweep_that_is_not_at_its_end_is_to_go_on(sweep):
    sweep.add(MLP, [9, 12])
    sweep.add(MLP, [], "FAIL", reason="diverged")
    record = sweep.record
    stopped = {"stopped": "SIGINT", "command": "python -m search.run --trials 8 --data x"}
    record.file.starts[-1] = replace(record.file.starts[-1], **stopped)

    steps = next_steps(record, [], None, None)

    assert [step.commands for step in steps] == [("python -m search.run --trials 8 --data x",), ()]
    assert steps[1].text.startswith("1 of 2 trials failed, most often as diverged")


def test_a_head_is_not_advised_to_train_for_more_epochs(sweep):
    sweep.add(MLP, [20])
    record = sweep.record
    record.best.config["arch"] = "logistic_head"

    steps = next_steps(record, [], None, None)

    assert not any("epochs" in step.text for step in steps)


@pytest.mark.parametrize(("place", "words"), [(7, "came late, as number 8 of 8"), (1, "came early"), (5, "")])
def test_the_next_steps_follow_from_what_the_sweep_shows(sweep, place, words):
    for number in range(8):
        sweep.add(MLP, [9, 27 if number == place else 10])

    steps = next_steps(sweep.record, [], None, None)

    assert steps[0].text.startswith("The best trial was at its best in its last epoch")
    found = " ".join(step.text for step in steps)
    assert words in found
    assert ("more trials" in found) == (place == 1)
    commands = [command for step in steps for command in step.commands]
    more = [f"python -m search.run --sweep {sweep.folder} --data nowhere --trials 12"] if place == 7 else []
    assert commands == [
        *more,
        f"python -m search.repeat {sweep.folder} --top 3 --seeds 5",
        f"python -m search.refit {sweep.folder}",
        f"python -m analysis.predict {sweep.folder} --with refit",
    ]


def test_the_ticks_of_an_axis_are_few_and_round():
    assert [text for _, text in log_axis("", 50, 400).ticks] == ["50", "100", "200"]
    assert [text for _, text in log_axis("", 1e-4, 1).ticks] == ["0.0001", "0.001", "0.01", "0.1", "1"]
    assert [text for _, text in log_axis("", 1e-9, 1).ticks] == ["1e-09", "1e-07", "1e-05", "0.001", "0.1"]
    assert [text for _, text in linear_axis("", 0, 49, 11, is_whole=True).ticks] == [str(5 * k) for k in range(10)]
    assert [text for _, text in linear_axis("", 1, 1, 11, is_whole=True).ticks] == ["1"]
    assert [text for _, text in linear_axis("", 0, 2e-3, 5).ticks] == ["0", "0.0005", "0.001", "0.0015", "0.002"]
    assert [text for _, text in linear_axis("", 0, 0.7, 5).ticks] == ["0", "0.2", "0.4", "0.6"]


def test_a_loss_is_told_as_a_loss_in_every_section(tmp_path, data, without_pngs):
    sweep = SweepBuilder(tmp_path / "sweep", data, metric="log_loss")
    for right in ([9, 12], [21, 24], [15, 18]):
        sweep.add(MLP, right)
    write_report(sweep.record)
    expected = read_json(trial_folder(sweep.folder, 1) / "history.json")[1]["valid_loss"]
    for text in texts(sweep.folder):
        assert f"{expected:.4f} validation log loss after epoch 2 of 2" in text
        assert "points" not in text.split("How far its confidence")[0]


def test_a_rate_that_is_drawn_as_a_multiple_is_shown_as_the_rate(tmp_path):
    sweep = SweepBuilder(tmp_path / "sweep", noise())
    for rate, right in ((0.001, 9), (0.02, 21), (0.0095, 15)):
        config = replace(MLP, lr=rate, optimizer="adam")
        sweep.add(config, [right] * 4, given={"arch": "mlp", "lr_multiple": rate / 0.002})

    record = sweep.record
    (lr,) = ranges(record)
    (chart,) = (chart for chart in slices(record).charts if chart.title == "lr")

    assert [trial.params["lr"] for trial in record.trials] == [0.001, 0.02, 0.0095]
    assert (lr.name, lr.low, lr.high, lr.best, lr.place) == ("lr", "2e-05", "0.02", "0.02", pytest.approx(1))
    assert sorted(x for series in chart.series if series.style == "COMPLETE" for x in series.x) == [0.001, 0.0095, 0.02]
    assert "lr_multiple" not in str(leaders(record))
