"""A journal cut, with a flipped bit, or with a record lost, in some of the places of `tests/damage.py`."""

import pytest

from sweep.analysis.record import Record
from tests.damage import TRIALS, checked, cut_everywhere, flip_everywhere, go_on, lose_everywhere


def test_a_cut_journal_loses_its_unfinished_record_and_nothing_else(tmp_path):
    cuts = cut_everywhere(tmp_path / "sweep", every=13)

    assert cuts.problems == []
    assert cuts.amid > cuts.places * 0.9


def test_a_flipped_bit_is_refused_with_its_line_and_a_repair_restores_its_trial_or_names_the_loss(tmp_path):
    flips = flip_everywhere(tmp_path / "sweep", every=13, repair_every=50)

    assert flips.problems == []
    assert set(flips.kinds) <= {"refused", "cut"}
    assert flips.repaired.keys() <= {"equal", "equal at its end", "loss named"}


@pytest.mark.parametrize("stop_at", [(-1, 0), (1, 5)], ids=["ended", "interrupted"])
def test_a_lost_record_is_brought_back_from_the_folders_or_its_loss_is_named(tmp_path, stop_at):
    losses = lose_everywhere(tmp_path / "sweep", every=6, stop_at=stop_at)

    assert losses.problems == []
    assert {way for way, _ in losses.kinds} == {"overwritten", "line gone", "cut"}


def test_a_sweep_with_a_flipped_byte_in_its_middle_ends_with_all_its_trials_and_the_loss_named(tmp_path):
    sweep = tmp_path / "sweep"
    go_on(sweep, stop_at=(1, 5))
    journal = sweep / "journal.log"
    lines = journal.read_bytes().splitlines(keepends=True)
    number = next(number for number, line in enumerate(lines) if b'"op_code":4' in line)
    lines[number] = lines[number].replace(b'"lr":0.0', b'"lr":3.0')
    journal.write_bytes(b"".join(lines))

    code, words = checked(sweep, must_repair=True)

    assert code == 0
    assert f"{journal}:{number + 1}: its checksum differs" in words
    assert "trial 0: its first record is lost; begun again with the config in its folder; lost: its parameters" in words
    go_on(sweep)
    assert [trial.state for trial in Record(sweep).trials] == ["COMPLETE", "COMPLETE", "FAIL"]
    assert len(Record(sweep).trials) == TRIALS
    assert checked(sweep)[0] == 0
