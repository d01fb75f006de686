import pytest

from sweep.datasets.labels import meaning, sort_classes


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["10", "9", "-1", "9"], ("-1", "9", "10")),
        (["10", "9", "b"], ("10", "9", "b")),
        (["dog", "cat"], ("cat", "dog")),
        (["1.5", "0.5"], ("0.5", "1.5")),
        (["nan", "inf"], ("inf", "nan")),
    ],
)
def test_classes_are_sorted_as_numbers_where_all_are_whole(labels, classes):
    assert sort_classes(labels) == classes


@pytest.mark.parametrize(
    ("one", "other"),
    [("1", "1.0"), ("1", "01"), ("1", "+1"), ("0", "-0"), ("1.5", "1.50"), ("10", "1e1"), ("\u00e9", "e\u0301")],
)
def test_a_label_written_in_two_ways_means_one_thing(one, other):
    assert meaning(one) == meaning(other)


@pytest.mark.parametrize(
    ("one", "other"), [("1", "2"), ("a", "A"), ("10", "1_0"), ("nan", "inf"), (f"{10**30}", "1e31")]
)
def test_other_labels_mean_other_things(one, other):
    assert meaning(one) != meaning(other)
