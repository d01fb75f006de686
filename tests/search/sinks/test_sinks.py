"""What every sink keeps to, and several of them together."""

import io
from itertools import permutations

import pytest
from optuna.trial import TrialState, create_trial

from sweep.search.sinks import NAMES, Begun, Sink, Sinks, opened
from sweep.storage.states import Reason
from sweep.trainable.config import TrialConfig
from sweep.trainable.features import Prepared
from sweep.trainable.metrics.history import EpochMetrics
from sweep.trainable.worker.order import Order
from tests.searched import command

CONFIG = TrialConfig(arch="mlp", width=1.0, epochs=2, lr=0.1)
EPOCHS = [EpochMetrics(number, 1.0, 1.0, 0.5, 0.5, 0.1, 1.0, 8) for number in (1, 2)]


@pytest.fixture
def begun(tmp_path):
    return Begun(tmp_path, 3, "accuracy", [], {0: "a config"}, io.StringIO())


def trial(number, state, **attributes):
    value = 0.5 if state == TrialState.COMPLETE else None
    made = create_trial(state=state, value=value, user_attrs={"config": CONFIG.to_dict()} | attributes)
    made.number = number
    return made


def events(folder):
    """Calls of a sink's methods."""
    no_config = {"config": {"seed": 1}, "reason": Reason.NO_CONFIG, "message": "no such lr"}
    return [
        lambda sink: sink.started(Order(0, 1, CONFIG, folder, "accuracy")),
        lambda sink: sink.prepared(0, Prepared("the features", 1, 2)),
        lambda sink: sink.progressed(0, EPOCHS),
        lambda sink: sink.ended(trial(0, TrialState.COMPLETE)),
        lambda sink: sink.ended(trial(1, TrialState.FAIL, **no_config)),
        lambda sink: sink.announced("a note"),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_sink_takes_every_event_in_any_order(name, begun, tmp_path):
    for order in permutations(events(tmp_path)):
        sinks = opened([name], begun)
        with sinks.open():
            for event in order:
                event(sinks)

        assert name in sinks.sinks
        assert sinks.failed == set()


class Failing(Sink):
    def started(self, order):
        raise ValueError("no such server")

    progressed = ended = announced = closed = started


def test_an_error_of_a_sink_ends_nothing_and_is_said_once(begun, tmp_path):
    sinks = opened([], begun)
    sinks.sinks = {"failing": Failing(), **sinks.sinks}

    with sinks.open():
        for event in events(tmp_path):
            event(sinks)

    said = begun.out.getvalue()
    assert said.count("The sink failing failed (ValueError: no such server)") == 1
    assert "a note" in said
    assert "no such server" in (tmp_path / "log.txt").read_text()


def test_a_screen_that_fails_is_said_nowhere_and_ends_nothing(tmp_path):
    sinks = Sinks(tmp_path / "log.txt")
    sinks.sinks["screen"] = Failing()

    sinks.announced("a note")

    assert sinks.failed == {"screen"}


def test_a_sink_that_cannot_be_made_is_said(begun):
    opened(["nowhere.py:Sink"], begun)

    assert "The sink nowhere.py:Sink failed (NotNamedError: " in begun.out.getvalue()


def test_a_name_that_is_no_sink_is_refused_before_anything_starts(tmp_path):
    from sweep.search.run import main

    unknown = command(main, "--sweep", tmp_path / "sweep", "--sink", "paper")
    no_file = command(main, "--sweep", tmp_path / "sweep", "--sink", tmp_path / "mine.py:Sink")

    assert unknown.exit_code == no_file.exit_code == 2
    assert "screen" in unknown.output
    assert "must be FILE.py:OBJECT with an existing file" in no_file.output
    assert not (tmp_path / "sweep").exists()
