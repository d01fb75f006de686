"""The form in which predictions are handed in comes back as it was kept."""

import csv

import pytest

from datasets.submission import Submission


def test_what_is_kept_is_read():
    form = Submission(("Image", "Kind, of it"), ("b", 'a "1"', "c"), (2, 0, 1))

    assert Submission.parsed(form.table()) == form


@pytest.mark.parametrize("table", [b"", b"id\n", b"id,label\na\n", b"id,label\na,first\n", b'id,label\n"a\n'])
def test_what_is_no_such_table_is_refused(table):
    with pytest.raises((ValueError, csv.Error)):
        Submission.parsed(table)
