"""A driver killed at its durable writes, or left without disk space there, ends like one that was not.

A part of the points; `make reliability` takes all of them.
"""

import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests import postgres
from tests.kill_points import DATA, IN_DATABASE, IN_FOLDS, SCHEDULES, kill_everywhere
from tests.trials import execute, open_bridge, outcome


@pytest.fixture
def in_memory_folder():
    """Files that cost no disk time: a SIGKILL leaves what the kernel has, on the disk or not."""
    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    yield folder
    shutil.rmtree(folder)


def assert_whole(tally):
    assert tally.problems == []
    assert (tally.lost, tally.twice, tally.differing) == (0, 0, 0)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.name)
def test_a_driver_killed_at_a_durable_write_ends_like_one_that_was_not(in_memory_folder, schedule):
    tally = kill_everywhere(schedule, in_memory_folder, every=31)

    assert tally.points >= 5
    assert set(tally.steps) == {"before", "in", "after"}
    assert_whole(tally)


def test_a_driver_without_disk_space_at_a_write_loses_nothing(in_memory_folder):
    assert_whole(kill_everywhere(SCHEDULES[0], in_memory_folder, every=31, full_disk=True))


def test_a_disk_that_is_really_full_takes_nothing_and_the_sweep_goes_on_when_it_is_not(tmp_path):
    mount = ["mount", "-t", "tmpfs", "-o", "size=24k", "none", tmp_path]
    if (mounted := subprocess.run(mount, check=False, capture_output=True)).returncode != 0:
        pytest.skip(f"a file system of 24 KiB cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        stops, kib = 0, 24
        while kib < 1000:
            try:
                bridge, _ = open_bridge(tmp_path / "sweep", 6)
                execute(bridge, DATA)
                break
            except OSError as error:
                if "No space left" not in str(error):
                    raise
                stops, kib = stops + 1, kib + 12
                subprocess.run(["mount", "-o", f"remount,size={kib}k", tmp_path], check=True)
        full = outcome(tmp_path / "sweep")
    finally:
        subprocess.run(["umount", "--lazy", tmp_path], check=True)
    bridge, _ = open_bridge(tmp_path / "roomy", 6)
    execute(bridge, DATA)

    assert stops >= 5
    assert full == outcome(tmp_path / "roomy")


@pytest.mark.database
@pytest.mark.skipif(postgres.programs() is None, reason="PostgreSQL's server programs are not installed")
@pytest.mark.parametrize("schedule", [IN_DATABASE, IN_FOLDS], ids=lambda schedule: schedule.name)
def test_a_driver_killed_amid_its_transactions_ends_like_one_that_was_not(in_memory_folder, monkeypatch, schedule):
    monkeypatch.setenv("PGPASSWORD", postgres.PASSWORD)
    with postgres.running() as server:
        tally = kill_everywhere(replace(schedule, ledger=server.url), in_memory_folder, every=61)

    assert tally.points >= 5
    assert_whole(tally)
