"""The form in which predictions are handed in comes back as it was kept."""

import json

import pytest

from sweep.datasets.submission import Submission
from sweep.datasets.submission.best import Best
from sweep.datasets.submission.columns import ProbabilityColumns
from sweep.datasets.submission.label import Label
from sweep.datasets.submission.probability import Probability
from sweep.datasets.submission.stored import is_kept, of_bytes, read_kept, to_bytes
from sweep.storage.files import DamagedError

IDS, ROWS = ("b", 'a "1"', "c"), (2, 0, 1)
FORMS = [
    Label(),
    Label({"0": "00"}, has_boxes=True),
    Best(5, " ", {"a": "A"}),
    Probability("dog", "the second"),
    ProbabilityColumns(["x", "", "y"]),
]


@pytest.mark.parametrize("form", FORMS, ids=repr)
@pytest.mark.parametrize("has_header", [True, False])
def test_what_is_kept_is_read(form, has_header):
    header = ("", *(f"column, {number}" for number in range(form.width)), "Image") if has_header else ()
    kept = Submission(header, IDS, ROWS, form, Probability("x"), form.width + 1, {0: ("0", "1", "2")}, "\t")

    assert of_bytes(to_bytes(kept)) == kept


@pytest.mark.parametrize(
    "change",
    [
        {"form": {"name": "other"}},
        {"form": {"name": "columns", "of": 3}},
        {"form": {"name": "columns", "of": ["a", "b"]}},
        {"rows": [0, 1]},
        {"header": ["id"]},
        {"id_column": 7},
        {"kept": {"0": ["a"]}},
        {"separator": ""},
        {"more": 1},
    ],
    ids=str,
)
def test_what_is_no_such_file_is_refused(change, tmp_path):
    content = json.loads(to_bytes(Submission(("id", "label"), IDS, ROWS)))
    (tmp_path / "submission.json").write_text(json.dumps(content | change))

    with pytest.raises(DamagedError, match=r"submission\.json"):
        read_kept(tmp_path, IDS)


def test_a_sweep_that_keeps_none_hands_in_ids_and_labels(tmp_path):
    assert not is_kept(tmp_path)
    assert read_kept(tmp_path, IDS) == Submission(("id", "label"), IDS, (0, 1, 2))


def test_a_sweep_of_before_there_was_more_than_one_form_keeps_its_header_and_ids(tmp_path):
    (tmp_path / "submission.csv").write_text('Image,"Kind, of it"\nb,2\n"a ""1""",0\nc,1\n')

    assert is_kept(tmp_path)
    assert read_kept(tmp_path, ()) == Submission(("Image", "Kind, of it"), IDS, ROWS)


@pytest.mark.parametrize("table", ["", "id\n", "id,label\na\n", "id,label\na,first\n", 'id,label\n"a\n'])
def test_a_damaged_table_of_before_is_refused(table, tmp_path):
    (tmp_path / "submission.csv").write_text(table)

    with pytest.raises(DamagedError, match=r"submission\.csv"):
        read_kept(tmp_path, IDS)
