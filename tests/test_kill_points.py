"""A driver killed at its durable writes, or left without disk space there, ends like one that was not.

A part of the points; `make reliability` takes all of them.
"""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests import postgres
from tests.kill_points import IN_DATABASE, SCHEDULES, kill_everywhere


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
    tally = kill_everywhere(schedule, in_memory_folder, every=19)

    assert tally.points >= 10
    assert set(tally.steps) == {"before", "in", "after"}
    assert_whole(tally)


def test_a_driver_without_disk_space_at_a_write_loses_nothing(in_memory_folder):
    assert_whole(kill_everywhere(SCHEDULES[0], in_memory_folder, every=19, full_disk=True))


@pytest.mark.skipif(postgres.programs() is None, reason="PostgreSQL's server programs are not installed")
def test_a_driver_killed_amid_its_transactions_ends_like_one_that_was_not(in_memory_folder, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", postgres.PASSWORD)
    with postgres.running() as server:
        tally = kill_everywhere(replace(IN_DATABASE, ledger=server.url), in_memory_folder, every=31)

    assert tally.points >= 8
    assert_whole(tally)
