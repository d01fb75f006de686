"""A table of probabilities comes back from a CSV reader as it was given."""

import csv
import io

import numpy as np
import pytest

from sweep.analysis.outputs.probability_table import probability_table


def rows_of(table):
    return list(csv.reader(io.StringIO(table.decode(), newline="")))


def test_a_row_has_its_texts_and_a_probability_for_each_class():
    shares = np.array([[1.0, 0.0], [0.25, 0.75]])

    table = probability_table({"id": ['a,"b".png', "é.png"], "label": ["no dog", "id"]}, shares, ("no dog", "id"))

    assert rows_of(table) == [
        ["id", "label", "p(no dog)", "p(id)"],
        ['a,"b".png', "no dog", "1", "0"],
        ["é.png", "id", "0.25", "0.75"],
    ]


def test_rows_of_a_thousand_classes_add_up_to_one_and_the_smallest_probability_stays():
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.full(1000, 0.01), 50)
    shares[0] = [1 - 1e-30, 1e-30, *np.zeros(998)]

    (_, *rows) = rows_of(
        probability_table({"id": [str(row) for row in range(50)]}, shares, [str(c) for c in range(1000)])
    )

    numbers = np.array([row[1:] for row in rows], float)
    assert np.abs(numbers.sum(axis=1) - 1).max() < 1e-8
    assert numbers[0, 1] == 1e-30


def test_rows_and_classes_must_be_as_many_as_their_texts():
    with pytest.raises(ValueError, match="argument 2 is longer"):
        probability_table({"id": ["a"]}, np.ones((2, 1)), ["x"])
    with pytest.raises(ValueError, match=r"shares must be \(N, 2\)"):
        probability_table({"id": ["a"]}, np.ones((1, 1)), ["x", "y"])
