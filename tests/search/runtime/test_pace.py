"""How long a drawn trial may take where there is no GPU."""

from dataclasses import replace

import pytest

from sweep.search.runtime import pace
from sweep.search.runtime.pace import PaceLimit
from sweep.storage.sweep_file import QueueEntry
from sweep.trainable.config import TrialConfig
from sweep.trainable.models.family import Family
from tests.trials import execute, fake_train, in_memory, open_bridge

SMALL = TrialConfig(arch="small_resnet", width=1.0, depth=1, epochs=10)
LIMIT = PaceLimit(60.0, 8_000, 7, (16, 16))


def test_the_time_grows_with_epochs_images_and_the_size_of_the_net():
    seconds = LIMIT.seconds_of(SMALL)

    assert 5 < seconds < 60  # 2 s an epoch, as measured
    assert LIMIT.seconds_of(replace(SMALL, epochs=20)) == 2 * seconds
    assert replace(LIMIT, images=16_000).seconds_of(SMALL) == 2 * seconds
    assert LIMIT.seconds_of(replace(SMALL, width=4.0)) > 4 * seconds


def test_a_config_that_takes_longer_is_refused_with_both_times():
    assert LIMIT.why_too_slow(SMALL) == ""
    assert "of the 1 that a drawn trial may take" in LIMIT.why_too_slow(replace(SMALL, width=4.0, epochs=30))


def test_a_head_takes_no_time_of_its_own(monkeypatch):
    monkeypatch.setattr(pace, "family_of", lambda arch: Family(arch, {}, lambda *_: None, train=fake_train))

    assert LIMIT.seconds_of(replace(SMALL, width=8.0, epochs=30)) == 0


def test_frozen_stages_only_go_forward_and_once_a_view_where_what_they_make_is_kept():
    trained = TrialConfig(arch="timm/test_resnet", pretrained=False, epochs=10)
    frozen = replace(trained, frozen_stages=2)
    cut_out = replace(frozen, random_resized_crop=0.5)

    whole, anew, kept, flipped = map(LIMIT.seconds_of, (trained, cut_out, frozen, replace(frozen, horizontal_flip=0.5)))

    assert kept < flipped < anew < whole
    front = 3 * (anew - kept) / (10 - 1)  # of a step, forward and back
    assert anew == pytest.approx(whole - 10 * front * 2 / 3)
    assert flipped - kept == pytest.approx(front / 3)


def test_an_architecture_of_which_nothing_is_quick_enough_is_named():
    slow = replace(SMALL, width=8.0)

    assert LIMIT.too_slow([SMALL, slow]) == {}
    assert LIMIT.too_slow([slow]).keys() == {"small_resnet"}
    notes = LIMIT.notes([slow, replace(SMALL, arch="mlp", depth=None)])
    assert "8,000 images takes at most about 1 minutes" in notes[0]
    assert notes[1].startswith("small_resnet is not drawn: it needs at least about ")
    assert LIMIT.notes([SMALL]) == []


def test_a_space_of_slow_nets_alone_is_told_and_has_no_limit():
    slow = replace(SMALL, width=8.0)

    assert not LIMIT.leaves_something([slow])
    assert LIMIT.leaves_something([slow, SMALL])
    (note,) = LIMIT.notes([slow])
    assert "every trial of this space takes more than 1 minutes" in note


def space(trial):
    width = trial.suggest_float("width", 1.0, 8.0, log=True)
    return TrialConfig(arch="small_resnet", width=width, depth=1, epochs=3, batch_size=8)


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_what_takes_too_long_is_drawn_again_and_what_a_person_asks_for_is_not(sampler, tmp_path):
    data = in_memory()
    limit = PaceLimit(0.0, 24, 3, (16, 16))
    limit = replace(limit, seconds=limit.seconds_of(TrialConfig(arch="small_resnet", width=2.0, depth=1, epochs=3)))
    queue = {0: QueueEntry({"width": 8.0})}
    bridge, _ = open_bridge(tmp_path, 6, space, pace=limit, queue=queue, sampler=sampler)

    execute(bridge, data)

    configs = [TrialConfig.from_dict(trial.user_attrs["config"]) for trial in bridge.ledger.trials]
    assert [bool(limit.why_too_slow(config)) for config in configs] == [True] + 5 * [False]
