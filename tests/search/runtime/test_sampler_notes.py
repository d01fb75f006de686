"""What a sampler had seen of the trials when it took notes, as the ledger has it."""

import json

import pytest
from optuna.trial import TrialState, create_trial

from sweep.search.runtime.sampler_notes import KnownStates, stopped_at
from sweep.storage.states import Reason


def trial(number, values, state=TrialState.RUNNING, constraints=None):
    made = create_trial(
        state=state,
        value=values[-1] if state == TrialState.COMPLETE else None,
        intermediate_values=dict(enumerate(values, start=1)),
        constraints=constraints,
    )
    made.number = number
    return made


def history():
    """The trials as they are shown to a sampler and as they are, each time that it takes notes."""
    yield [], []
    ran = [trial(0, [0.1]), trial(1, [0.2, 0.3])]
    yield [ran[0], stopped_at(ran[1], 2)], ran  # the second one waits at a rung
    ended = [trial(0, [0.1, 0.4], TrialState.COMPLETE), trial(1, [0.2, 0.3, 0.5])]
    yield ended, ended  # and goes on
    last = [ended[0], trial(1, [0.2, 0.3, 0.5, 0.5], TrialState.PRUNED, {"trainable": 1.0}), trial(2, [0.6])]
    yield last, last


def seen_of(trial):
    """What a sampler may read of it."""
    is_over = trial.state.is_finished()
    return trial.number, trial.state, trial.constraints, is_over and (trial.value, trial.intermediate_values)


def test_after_a_restart_each_trial_is_shown_as_it_was_at_each_of_the_notes():
    driver, again = KnownStates(), KnownStates()
    *_, (_, now) = history()
    for shown, trials in history():
        again.follow(json.loads(json.dumps(driver.note_changes(shown, trials))))

        then = [again.as_then(trial) for trial in now[: len(shown)]]

        assert list(map(seen_of, then)) == list(map(seen_of, shown))
        assert again.steps == driver.steps


def test_what_changed_is_written_once():
    driver = KnownStates()

    assert [driver.note_changes(shown, trials) for shown, trials in history()] == [
        {},
        {"paused": [[1, 2]]},
        {"ended": [0], "running": [1]},
        {"ended": [1]},
    ]


def test_a_trial_whose_end_or_pause_the_ledger_lost_is_shown_as_running():
    seen = KnownStates()
    seen.follow({"ended": [0], "paused": [[1, 9]]})

    assert [seen.as_then(trial(number, [0.1])).state for number in (0, 1)] == [TrialState.RUNNING] * 2


@pytest.mark.parametrize("written", [[], {"ended": 1}, {"ended": ["1"]}, {"paused": [[1]]}, {"lost": []}, None])
def test_an_attribute_that_no_driver_wrote_is_refused(written):
    with pytest.raises(ValueError, match=r".+"):
        KnownStates().follow(written)


def test_a_trial_that_is_stopped_has_its_value_by_then():
    stopped = stopped_at(trial(3, [0.1, 0.2, 0.3]), 2)

    assert (stopped.number, stopped.state, stopped.value) == (3, TrialState.PRUNED, 0.2)
    assert stopped.intermediate_values == {1: 0.1, 2: 0.2}
    assert stopped.user_attrs["reason"] == Reason.NOT_AMONG_THE_BEST
