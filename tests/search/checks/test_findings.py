"""What a check finds: how it is said, and what of it an earlier look found too."""

from dataclasses import replace
from pathlib import Path

import pytest

from sweep.search.checks.backup import move_away
from sweep.search.checks.findings import Finding, naming
from sweep.storage.files import DamagedError

PATH = Path("sweep/trials/0001/history.json")


@pytest.mark.parametrize(
    ("finding", "text"),
    [
        (Finding(PATH, "missing", "restore it"), f"{PATH}: missing; restore it"),
        (Finding(PATH, "no JSON", "restore it", line=3), f"{PATH}:3: no JSON; restore it"),
        (Finding(7, "its first record is lost", "begun again"), "trial 7: its first record is lost; begun again"),
        (Finding(PATH, "a link", "remove it", rule="must be a file"), f"{PATH}: must be a file, got a link; remove it"),
        (Finding(PATH, "cut", "left out", mend=move_away(PATH)), f"{PATH}: cut; `--repair`: left out"),
        (
            Finding(PATH, "cut", "left out", loss="its epochs", mend=move_away(PATH)),
            f"{PATH}: cut; restore it from a backup, or `--repair`: left out; lost: its epochs",
        ),
    ],
)
def test_a_finding_says_place_rule_what_was_found_the_way_out_and_the_loss(finding, text):
    assert finding.text() == text


def test_what_was_mended_is_told_without_what_to_do():
    finding = Finding(PATH, "cut", "left out", loss="its epochs", mend=move_away(PATH))

    assert finding.text(is_mended=True) == f"{PATH}: cut; left out; lost: its epochs"


def test_two_looks_that_find_the_same_have_equal_findings_and_others_differ():
    finding = Finding(PATH, "cut", "left out", mend=move_away(PATH))

    assert finding == replace(finding, mend=move_away(PATH))
    assert finding != replace(finding, found="missing")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (FileNotFoundError(2, "No such file", str(PATH)), f"{PATH}: missing"),
        (ValueError("no history"), f"{PATH}: no history"),
        (DamagedError(PATH, "cut", line=2), f"{PATH}:2: cut"),
    ],
)
def test_whatever_is_wrong_with_a_file_is_an_error_that_names_it(error, text):
    with pytest.raises(DamagedError) as raised, naming(PATH):
        raise error

    assert str(raised.value) == text
