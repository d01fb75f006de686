"""What a person sees of a running sweep."""

import io
from dataclasses import replace
from types import SimpleNamespace

import optuna
import pytest
from optuna.trial import TrialState, create_trial
from rich.console import Console

from sweep.analysis.report.contents import duration
from sweep.search.sinks import Begun
from sweep.search.sinks.screen import Screen, in_short
from sweep.trainable.config import TrialConfig
from sweep.trainable.features import Prepared
from sweep.trainable.metrics.history import EpochMetrics
from sweep.trainable.worker.order import Order

CONFIG = TrialConfig(arch="cnn", width=2.0, depth=1, head=64, epochs=5, lr=0.0123)


def ended(number, values, state=TrialState.COMPLETE, **attributes):
    study = optuna.create_study(direction="maximize")
    attributes = {"config": CONFIG.to_dict(), **attributes}
    for _ in range(number):
        study.add_trial(create_trial(state=TrialState.FAIL))
    study.add_trial(
        create_trial(
            state=state,
            value=values[-1] if state == TrialState.COMPLETE else None,
            intermediate_values=dict(enumerate(values, 1)),
            user_attrs=attributes,
        )
    )
    return study.trials[number]


def epoch(number, accuracy):
    return EpochMetrics(number, 1.0, 1.0, accuracy, accuracy, 0.1, 1.0, 8)


class Clock:
    now = 0.0

    def pass_(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    """The time, as the screen sees it."""
    clock = Clock()
    monkeypatch.setattr("sweep.search.sinks.screen.time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


@pytest.fixture
def screen(tmp_path, clock):
    return Screen(Begun(tmp_path, 4, "accuracy", [ended(0, [0.3, 0.4])], {0: "mlp", 1: "cnn-7"}, io.StringIO()))


def test_without_a_terminal_every_end_is_one_plain_line_with_the_best_so_far(screen, tmp_path):
    screen.started(Order(1, 1, CONFIG, tmp_path, "accuracy"))
    screen.ended(ended(1, [0.2, 0.5]))
    screen.ended(ended(2, [], TrialState.FAIL, reason="diverged"))

    first, second = screen.out.getvalue().splitlines()
    assert first.startswith("[2/4] trial 1 (cnn-7) COMPLETE accuracy 0.5000 after 2/5 epochs")
    assert "cnn width 2 depth 1, nesterov onecycle lr 0.012, batch 128 | best 0.5000 (trial 1) | about" in first
    assert second.startswith("[3/4] trial 2 FAIL diverged after 0/5 epochs")


def test_a_paused_trial_is_told_and_its_row_comes_back_when_it_goes_on(screen, tmp_path, clock):
    order = Order(1, 1, CONFIG, tmp_path, "accuracy")
    screen.started(order)
    clock.pass_(5)
    screen.paused(ended(1, [0.2], TrialState.RUNNING))
    assert screen.rows == {}
    clock.pass_(100)
    screen.started(replace(order, attempt=2))
    clock.pass_(3)
    screen.ended(ended(1, [0.2, 0.5]))

    paused, end = screen.out.getvalue().splitlines()
    assert paused.startswith("[1/4, 1 paused] trial 1 (cnn-7) paused accuracy 0.2000 after 1/5 epochs, 5 s: cnn")
    assert end.startswith("[2/4] trial 1 (cnn-7) COMPLETE accuracy 0.5000 after 2/5 epochs, 8 s: cnn")


def test_a_paused_trial_ends_with_the_time_that_it_was_trained(screen, tmp_path, clock):
    screen.started(Order(1, 1, CONFIG, tmp_path, "accuracy"))
    clock.pass_(5)
    screen.paused(ended(1, [0.2], TrialState.RUNNING))
    clock.pass_(100)
    screen.ended(ended(1, [0.2], TrialState.PRUNED))

    assert "[2/4] trial 1 (cnn-7) PRUNED accuracy 0.2000 after 1/5 epochs, 5 s" in screen.out.getvalue()


def test_of_a_budget_the_screen_counts_epochs_those_before_included(tmp_path, clock):
    begun = Begun(tmp_path, 20, "accuracy", [], {}, io.StringIO(), paused=[0], budget_epochs=20, epochs={0: 2})
    screen = Screen(begun)
    screen.started(Order(1, 1, CONFIG, tmp_path, "accuracy"))
    screen.progressed(1, [epoch(1, 0.7), epoch(2, 0.6)])
    screen.ended(ended(1, [0.2] * 5))

    assert screen.out.getvalue().startswith("[1, 1 paused, 7/20 epochs] trial 1 COMPLETE accuracy")
    assert "left" not in screen.out.getvalue()


def test_a_log_gets_plain_lines_though_the_environment_forces_colours(monkeypatch, tmp_path):
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.setenv(name, "1")
    with open(tmp_path / "log.txt", "w+", encoding="utf-8") as log:
        screen = Screen(Begun(tmp_path, 1, "log_loss", [], {}, log))
        with screen.open():
            screen.announced("a note")
            screen.started(Order(0, 1, CONFIG, tmp_path, "log_loss"))
            screen.ended(ended(0, [-1e-9]))
        log.seek(0)
        note, end = log.read().splitlines()
    assert note == "a note"
    assert end.startswith("[1/1] trial 0 COMPLETE log_loss 0.0000 after 1/5 epochs")


def test_on_a_terminal_the_table_shows_what_runs_and_what_is_left(screen, tmp_path):
    screen.started(Order(1, 1, CONFIG, tmp_path, "accuracy"))
    screen.progressed(1, [epoch(1, 0.7), epoch(2, 0.6)])
    screen.ended(ended(2, [0.2]))
    terminal = Console(file=io.StringIO(), width=120)

    terminal.print(screen._render())

    text = terminal.file.getvalue()
    assert "RUNNING" in text
    assert "2/5" in text
    assert "0.7000" in text  # the best so far, not the last
    assert "trials: 2/4 | best 0.4000 (trial 0)" in text
    assert "left" in text


def test_features_that_are_computed_first_are_told_and_are_not_part_of_the_pace(screen, tmp_path, clock):
    for number in (1, 2):
        screen.started(Order(number, 1, CONFIG, tmp_path, "accuracy"))
    for seconds, done in ((0, 64), (1, 128), (599, 200)):
        clock.pass_(seconds)
        for number in (1, 2):
            screen.prepared(number, Prepared("the features of 200 images by timm/x at 64 px", done, 200))
    clock.pass_(5)
    screen.ended(ended(1, [0.5]))

    first, second, end = screen.out.getvalue().splitlines()
    assert first == "Computing the features of 200 images by timm/x at 64 px: 64 of 200"
    assert second == "Computing the features of 200 images by timm/x at 64 px: 200 of 200"
    assert end.endswith("about 10 s left")


def test_once_no_trial_begins_any_more_the_longest_that_runs_tells_the_time_that_is_left(tmp_path, clock):
    screen = Screen(Begun(tmp_path, 4, "accuracy", [], {}, io.StringIO()))
    screen.started(Order(3, 1, CONFIG, tmp_path, "accuracy"))
    for number in range(2):
        screen.started(Order(number, 1, CONFIG, tmp_path, "accuracy"))
        clock.pass_(5)
        screen.ended(ended(number, [0.2]))
    screen.started(Order(2, 1, CONFIG, tmp_path, "accuracy"))
    clock.pass_(190)
    screen.progressed(3, [epoch(1, 0.2), epoch(2, 0.3)])  # of 5, after 200 s
    screen.ended(ended(2, [0.2]))

    assert screen.out.getvalue().splitlines()[-1].endswith("about 5:00 min left")


def test_what_running_trials_have_done_counts_in_the_time_that_is_left(tmp_path, clock):
    screen = Screen(Begun(tmp_path, 4, "accuracy", [], {}, io.StringIO()))
    for number in (0, 1):
        screen.started(Order(number, 1, CONFIG, tmp_path, "accuracy"))  # five epochs each
    clock.pass_(90)
    screen.progressed(0, [epoch(each, 0.7) for each in range(1, 5)])
    screen.ended(ended(1, [0.5]))

    assert screen.out.getvalue().splitlines()[-1].endswith("about 1:50 min left")  # 1.8 trials took 90 s


def test_trials_that_were_paused_before_all_waited_do_not_shorten_the_time_that_is_left(tmp_path, clock):
    screen = Screen(Begun(tmp_path, 20, "accuracy", [], {}, io.StringIO()))
    for number in range(5):
        screen.started(Order(number, 1, CONFIG, tmp_path, "accuracy"))
        clock.pass_(1)
        screen.paused(ended(number, [0.2], TrialState.RUNNING))
    for number in (5, 6):
        screen.started(Order(number, 1, CONFIG, tmp_path, "accuracy"))
        screen.prepared(number, Prepared("the features of 200 images", 64, 200))
    clock.pass_(60)
    screen.ended(ended(5, [0.5]))

    assert screen.out.getvalue().splitlines()[-1].endswith("about 14:00 min left")  # 14 trials of a minute


def test_what_a_trial_waits_for_is_not_part_of_its_seconds(screen, tmp_path, clock):
    screen.started(Order(1, 1, CONFIG, tmp_path, "accuracy"))
    for done in (64, 128):
        clock.pass_(30)
        screen.prepared(1, Prepared("the features of 200 images", done, 200))
        screen.progressed(1, [])
    clock.pass_(5)  # four seconds more for the features, and one for the epoch
    screen.progressed(1, [epoch(1, 0.7)])
    clock.pass_(2)
    screen.ended(ended(1, [0.7]))

    assert ", 3 s: cnn" in screen.out.getvalue().splitlines()[-1]


def test_with_folds_what_is_waited_for_between_two_of_them_is_not_counted_either(tmp_path, clock):
    screen = Screen(Begun(tmp_path, 4, "accuracy", [], {}, io.StringIO(), folds=2))
    first, second = (EpochMetrics(1, 1.0, 1.0, 0.7, 0.7, 0.1, 1.0, 8, fold=fold) for fold in (1, 2))
    screen.started(Order(1, 1, CONFIG, tmp_path, "accuracy"))
    clock.pass_(1)
    screen.progressed(1, [first])
    clock.pass_(20)
    screen.prepared(1, Prepared("the features of 200 images", 64, 200))
    screen.progressed(1, [first])
    assert "computing" in screen.rows[1].about
    clock.pass_(1)
    screen.progressed(1, [first, second])
    assert "computing" not in screen.rows[1].about
    screen.ended(ended(1, [0.7, 0.7]))

    assert ", 2 s: cnn" in screen.out.getvalue().splitlines()[-1]


def test_while_cheaper_trials_come_first_no_time_is_told(tmp_path, clock):
    screen = Screen(Begun(tmp_path, 6, "accuracy", [], {}, io.StringIO(), cheap=2))
    for number, seconds in enumerate((1, 1, 60, 60)):
        clock.pass_(seconds)
        screen.ended(ended(number, [0.5]))

    lines = screen.out.getvalue().splitlines()
    assert ["left" in line for line in lines] == [False, False, True, True]
    assert lines[2].endswith("about 3:00 min left")


def test_the_table_shows_how_far_features_are_until_an_epoch_is_done(screen, tmp_path):
    screen.started(Order(1, 1, CONFIG, tmp_path, "accuracy"))
    screen.prepared(1, Prepared("the features of 200 images", 64, 200))
    assert screen.rows[1].about == "cnn-7: computing the features of 200 images: 64 of 200"

    screen.progressed(1, [epoch(1, 0.7)])
    assert screen.rows[1].about.startswith("cnn-7: cnn width 2")


def test_a_message_is_shown_as_it_is(screen):
    screen.announced("trial [7]: lost")

    assert screen.out.getvalue() == "trial [7]: lost\n"


def test_a_config_in_short_names_what_tells_trials_apart():
    assert in_short(CONFIG) == "cnn width 2 depth 1, nesterov onecycle lr 0.012, batch 128"


def test_a_head_in_short_names_its_net_and_no_rate_that_it_does_not_have():
    reads = dict(backbone="timm/tf_efficientnet_lite0", input_size=224, stages="-3", pooling="2x2", epochs=1)
    linear = TrialConfig(arch="logistic_head", penalty=0.25134, **reads)
    mlp = TrialConfig(arch="mlp_head", hidden=256, lr=1e-3, **reads)

    net = "on timm/tf_efficientnet_lite0 at 224 px, stages -3, pooling 2x2"
    assert in_short(linear) == f"logistic_head {net}, penalty 0.2513"
    assert in_short(mlp) == f"mlp_head {net}, hidden 256, onecycle lr 0.001, batch 128"


@pytest.mark.parametrize(("seconds", "text"), [(5.9, "5 s"), (725, "12:05 min"), (12000, "3:20 h")])
def test_durations_read_well(seconds, text):
    assert duration(seconds) == text
