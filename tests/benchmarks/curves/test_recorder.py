"""The recorder ends with the same table however often it was interrupted, and every row is of its draw."""

from dataclasses import replace
from itertools import count

import numpy as np
import pytest

from benchmarks.curves import recorder
from benchmarks.curves.recorder import Work, in_order, record
from benchmarks.curves.recordings import LITE0, RECORDINGS, Recording
from benchmarks.curves.table import read
from sweep.storage.errors import ConfigError
from sweep.storage.sweep_file import DataOptions
from sweep.trainable import loop
from sweep.trainable.config import TrialConfig

FIXED = {"arch": "mlp", "epochs": 2, "schedule": "constant"}
QUICK = Recording("quick", "SOME_DATA", DataOptions(), ("default", 2), draws=3, repeated=(1,), fixed=FIXED)


@pytest.fixture
def work(tiny_data, tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_DATA", str(tiny_data))
    monkeypatch.setattr(recorder, "conditions", lambda command, runs: command)
    return Work(QUICK, tmp_path / "rows", "a command")


def record_all(work, until=None):
    return list(record([work], in_order([work.recording], until), count().__next__))


def plain(table):
    rows = [(c.draw, c.repeat, c.params, c.config, c.right.tolist(), c.losses.tolist()) for c in table.curves]
    return table.about, rows


def test_a_table_has_a_row_for_each_draw_and_repeat_in_order(work):
    record_all(work)

    curves = work.table().curves

    assert [(curve.draw, curve.repeat) for curve in curves] == [(0, 0), (1, 0), (1, 1), (1, 2), (2, 0)]
    assert [curve.right.shape for curve in curves] == [(2, 30)] * 5
    assert all(len(curve.seconds) == 2 and (curve.seconds > 0).all() for curve in curves)


def test_repeats_of_a_draw_differ_in_the_seed_alone(work):
    configs = [QUICK.config(draw, repeat) for draw, repeat in QUICK.rows if draw == 1]

    assert len({config.seed for _, config in configs}) == 3
    assert len({str(params) for params, _ in configs}) == 1
    assert len({replace(config, seed=0) for _, config in configs}) == 1


def test_a_recording_that_is_killed_amid_a_row_ends_with_the_same_table(work, monkeypatch):
    record_all(work)
    unbroken = plain(work.table())
    again = replace(work, parent=work.parent.with_name("again"))
    train, epochs = loop.train, count(1)

    def killed_at_the_fourth_epoch(config, data, state):
        for metrics in train(config, data, state):
            if next(epochs) == 4:
                raise KeyboardInterrupt
            yield metrics

    with monkeypatch.context() as patch:
        patch.setattr(loop, "train", killed_at_the_fourth_epoch)
        with pytest.raises(KeyboardInterrupt):
            record_all(again)
    assert [curve.draw for curve in again.table().curves] == [0]
    sentences = record_all(again)

    assert len(sentences) == 4  # the row that was there is not trained again
    assert plain(again.table()) == unbroken


def test_a_row_that_is_there_before_those_in_front_of_it_is_not_of_the_table_yet(work):
    record_all(work)
    work.path(1).unlink()

    assert [curve.draw for curve in work.table().curves] == [0]


def test_a_table_that_is_recorded_in_portions_has_the_first_rows(work):
    record_all(work, until=2)
    first = work.table().curves
    record_all(work)

    assert [(curve.draw, curve.repeat) for curve in first] == [(0, 0), (1, 0)]
    assert len(work.table().curves) == 5


def test_images_are_right_where_the_net_was_in_an_order_that_all_curves_share(work):
    config = TrialConfig(arch="mlp", width=1.0, epochs=2, lr=0.02)

    first, second = (recorder.trained(draw, 0, {}, replace(config, seed=draw), work.data) for draw in (0, 1))

    states = []
    for seed in (0, 1):
        state = recorder_state(replace(config, seed=seed), work.data)
        states.append([classes == work.data.valid.truth for classes in state.valid_classes])
    order = np.random.default_rng(0).permutation(30)
    assert (first.right == np.array(states[0])[:, order]).all()
    assert (second.right == np.array(states[1])[:, order]).all()


def recorder_state(config, data):
    from sweep.trainable.state import new_state

    state = new_state(config, data)
    list(loop.train(config, data, state))
    return state


def test_a_config_that_diverges_is_a_row_with_the_epochs_before(work, monkeypatch):
    train = loop.train

    def diverging(config, data, state):
        yield next(train(config, data, state))
        raise loop.Diverged("epoch 2: train_loss=nan")

    monkeypatch.setattr(loop, "train", diverging)
    record_all(work, until=1)

    (curve,) = work.table().curves
    assert curve.has_diverged
    assert (len(curve.accuracies), len(curve.losses), len(curve.seconds)) == (1, 1, 2)


def test_rows_of_other_data_or_another_space_are_kept_apart(work, tiny_data):
    with_other_space = replace(work, recording=replace(QUICK, fixed=FIXED | {"epochs": 3}))
    with_other_data = replace(work, recording=replace(QUICK, options=DataOptions(limit_train=30)))
    with_more_draws = replace(work, recording=replace(QUICK, draws=9))

    assert len({each.folder for each in (work, with_other_space, with_other_data)}) == 3
    assert with_more_draws.folder == work.folder


def test_tables_grow_side_by_side():
    short, long = replace(QUICK, name="short", draws=2, repeated=()), replace(QUICK, name="long", draws=4, repeated=())

    tasks = [(its.name, number) for its, number in in_order([short, long], None)]

    assert tasks == [("long", 0), ("short", 0), ("long", 1), ("long", 2), ("short", 1), ("long", 3)]


def test_a_data_set_that_is_not_named_is_asked_for_by_its_variable(work, monkeypatch):
    monkeypatch.delenv("SOME_DATA")

    with pytest.raises(ConfigError, match="SOME_DATA must name the data set that the table `quick` is recorded on"):
        _ = work.data


def test_a_row_has_no_ids_and_no_labels(work, tiny_data):
    record_all(work, until=1)

    content = work.path(0).read_bytes()

    assert b"validation00" not in content
    assert work.data.valid.truth.astype(np.int64).tobytes() not in content
    assert read(work.path(0)).about.data == tiny_data.name


@pytest.mark.pretrained
@pytest.mark.parametrize(
    ("space", "fixed", "epochs"),
    [
        (("heads", 1), {"arch": "logistic_head", "input_size": 64, "pooling": "2x2"}, 1),
        (("tiny", 1), {"arch": LITE0, "tuned_input_size": 48, "tuned_epochs": 2, "frozen_stages": 4}, 2),
    ],
    ids=["a head on frozen features", "a net fine-tuned behind kept maps"],
)
def test_a_pretrained_net_is_recorded_as_any_other(work, space, fixed, epochs):
    recording = replace(QUICK, space=space, fixed=fixed, backbones=(LITE0,), draws=1, repeated=())
    pretrained = replace(work, recording=recording)

    record_all(pretrained)

    (curve,) = pretrained.table().curves
    assert curve.right.shape == (epochs, 30)
    assert curve.accuracies[-1] > 1 / 3  # of three classes
    assert len(curve.seconds) == epochs


@pytest.mark.pretrained
@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda its: its.name)
class TestRecording:
    def test_a_draw_is_a_function_of_its_number(self, recording):
        draws = [recording.config(draw, 0) for draw in (3, 0, 3)]

        assert draws[0] == draws[2]
        assert draws[0] != draws[1]

    def test_what_is_drawn_is_all_that_its_config_depends_on(self, recording):
        for draw in range(5):
            params, config = recording.config(draw, 0)

            assert replace(recording.searched.chosen(params), seed=0) == replace(config, seed=0)
            assert params.keys() <= recording.searched.table()["ranges"].keys()
