import pickle

import pytest

from datasets.manifest import DataError, meaning, parse_table, predictions_table, read_table, sort_classes


def test_all_problems_are_told_not_only_the_first():
    with pytest.raises(DataError) as error:
        read_table(b"id,label\n../a,1\nb\nc,1\nc,2\n", "t.txt")
    assert [problem.split(": ")[0] for problem in error.value.problems] == ["t.txt:2", "t.txt:3", "t.txt:5"]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("last", [True, False])
def test_any_line_ending_and_a_byte_order_mark_are_accepted(newline, bom, last):
    text = bom + newline.join(["id,label", "a.png,1", "b.png,0"]) + (newline if last else "")
    table = read_table(text.encode(), "t.txt")
    assert (table.ids, table.labels, table.lines) == (("a.png", "b.png"), ("1", "0"), (2, 3))


def test_ids_and_labels_stay_as_they_were_written():
    ids = (
        "NA",
        "null",
        "00012",
        "1e5",
        "nan.png",
        "é.png",
        "e\u0301.png",
        "😀.png",
        'a"b',
        "a,b",
        "sub/dir/x.png",
        "a b",
    )
    labels = ("01", "cat", "-1", "NA", "x y", "None", "0", "1", "2", "3", "4", "5")
    data = predictions_table(ids, labels)
    table = read_table(data, "t.txt")
    assert (table.ids, table.labels) == (ids, labels)
    assert data.startswith(b"id,label\nNA,01\nnull,cat\n00012,-1\n")


def test_a_prediction_for_each_id_is_demanded():
    with pytest.raises(ValueError, match="shorter"):
        predictions_table(["a", "b"], ["1"])


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


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_the_line_of_a_problem_is_counted_with_any_line_ending(newline):
    lines = ["id,label", "a.png,1", "../b.png,0"]
    _, problems = parse_table(newline.join(lines).encode(), "t.txt")
    assert problems[0].startswith("t.txt:3: id must be a relative path")
    _, problems = parse_table(newline.join(lines).encode() + b"\xff", "t.txt")
    assert problems == ["t.txt:3: text must be UTF-8, got byte 0xff; save the file as UTF-8"]


def test_an_error_shows_20_problems_and_counts_the_rest():
    error = DataError([f"problem {number}" for number in range(25)])
    assert str(error).splitlines()[19:] == ["problem 19", "... and 5 more"]
    assert "more" not in str(DataError(["one"]))
    assert pickle.loads(pickle.dumps(error)).problems == error.problems
