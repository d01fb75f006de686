"""Where each file of a sweep lies, and which of those that lie there count."""

import pytest

from sweep.storage import paths


def test_a_folder_is_a_sweep_once_its_file_is_there(tmp_path):
    assert not paths.is_sweep(tmp_path)

    (tmp_path / "sweep.json").write_text("{")

    assert paths.is_sweep(tmp_path)


def test_trials_and_attempts_have_a_folder_each_by_number(tmp_path):
    trial = paths.trial_folder(tmp_path, 7)

    assert trial == tmp_path / "trials" / "0007"
    assert paths.trial_folder(tmp_path, 12345) == tmp_path / "trials" / "12345"
    assert paths.attempt_folder(trial, 2) == trial / "attempt-2"


@pytest.mark.parametrize(
    ("name", "number"), [("attempt-2", 2), ("attempt-x", 0), ("attempt-\u00b2", 0), ("attempt-1000000000000", 0)]
)
def test_the_number_of_an_attempt_is_a_small_one_in_decimal(name, number, tmp_path):
    (tmp_path / name).mkdir()

    assert paths.attempt_number(tmp_path / name) == number


def test_what_is_no_folder_or_leads_elsewhere_is_no_attempt(tmp_path):
    (tmp_path / "attempt-1").touch()
    (tmp_path / "attempt-2").symlink_to(tmp_path)

    assert [paths.attempt_number(path) for path in paths.attempts(tmp_path)] == [0, 0]


def test_a_trial_has_ended_once_its_history_is_kept_and_its_attempts_are_gone(tmp_path):
    attempt = paths.attempt_folder(tmp_path, 1)
    attempt.mkdir()
    (tmp_path / paths.HISTORY).touch()
    assert not paths.has_ended(tmp_path)

    attempt.rmdir()

    assert paths.has_ended(tmp_path)


def test_the_checkpoint_of_the_latest_epoch_comes_first_also_after_9999_epochs(tmp_path):
    for attempt, epochs in {1: (9998, 9999), 2: (10000, 3), 3: (20000,)}.items():
        folder = paths.attempt_folder(tmp_path, attempt)
        folder.mkdir()
        for epoch in epochs:
            paths.checkpoint_path(folder, epoch).touch()
        (folder / "checkpoint-0005.safetensors.partial").touch()
        (folder / "checkpoint-x.safetensors").touch()

    found = paths.newest_checkpoints(tmp_path, up_to_attempt=2)

    names = [f"attempt-{path.parent.name[-1]}/{path.stem[11:]}" for path in found]
    assert names == ["attempt-2/10000", "attempt-1/9999", "attempt-1/9998", "attempt-2/0003"]
