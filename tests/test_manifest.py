import pickle

import pytest

from datasets.manifest import DataError, predictions_table, read_table, sort_classes

BAD_TABLES = [
    (b"", 1, "empty file"),
    (b"\n\n", 1, "empty file"),
    (b"name,label\na,1\n", 1, "`name,label`"),
    (b"ID,LABEL\na,1\n", 1, "`ID,LABEL`"),
    (b"id;label\na;1\n", 1, "`id;label`"),
    (b"id,label,extra\na,1,2\n", 1, "`id,label,extra`"),
    (b"id,label\n", 2, "a row must follow"),
    (b"id,label\na,1,2\n", 2, "fields `id,label`, got 3: `a,1,2`"),
    (b"id,label\na,1,\n", 2, "got 3"),
    (b"id,label\na\n", 2, "got 1"),
    (b"id\na,1\n", 2, "fields `id`, got 2"),
    (b"id,label\na,1\n\nb,2\n", 3, "blank"),
    (b"id,label\n,1\n", 2, "id must not be empty"),
    (b"id,label\na,\n", 2, "label must not be empty"),
    (b"id,label\n a,1\n", 2, "space"),
    (b"id,label\na,1 \n", 2, "space"),
    (b"id,label\na,1\na,1\n", 3, "`a` already stands on line 2 with the same label"),
    (b"id,label\na,1\na,2\n", 3, "`a` already stands on line 2 with label `1`"),
    (b"id,label\na,1\ncaf\xe9,2\n", 3, "UTF-8, got byte 0xe9"),
    (b"id,label\na\x00b,1\n", 2, "control character"),
    (b"id,label\na\x1bb,1\n", 2, "control character"),
    (b"id,label\na,\x07\n", 2, "label must not"),
    (b'id,label\n"a\nb",1\n', 3, "control character"),
    (b'id,label\n"a,1\n', 2, "valid CSV"),
    (b'id,label\n"a"b,1\n', 2, "valid CSV"),
    ("id,label\na\u202egnp.exe,1\n".encode(), 2, "direction of text"),
    ("id,label\na\u2028b,1\n".encode(), 2, "line break"),
    (b"id,label\n" + b"a" * 256 + b",1\n", 2, "255 bytes"),
    *[
        (f"id,label\n{name},1\n".encode(), 2, "relative path")
        for name in (
            "/etc/passwd",
            "../a",
            "a/../../b",
            "a//b",
            "a/",
            ".",
            "..",
            "C:\\x",
            "C:x",
            "..\\x",
            "a\\b",
            "~",
            "~/a",
        )
    ],
    *[
        (f"id,label\n{name},1\n".encode(), 2, "spreadsheet")
        for name in ("=cmd|' /C calc'!A0", "+a.png", "-a.png", "@SUM(1)")
    ],
    (b"id,label\na,=1+1\n", 2, "spreadsheet"),
    (b"id,label\na,@x\n", 2, "spreadsheet"),
]


@pytest.mark.parametrize(("data", "line", "words"), BAD_TABLES)
def test_a_bad_table_is_refused_with_file_line_rule_and_value(data, line, words):
    with pytest.raises(DataError) as error:
        read_table(data, "data/train.txt")
    (problem,) = error.value.problems
    assert problem.startswith(f"data/train.txt:{line}: ")
    assert words in problem
    assert all(character.isprintable() for character in problem)


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


@pytest.mark.parametrize("other", ["1.0", "01", "+1"])
def test_one_number_written_in_two_ways_is_refused(other):
    with pytest.raises(DataError, match="written in one way"):
        sort_classes(["0", "1", other])


def test_an_error_shows_20_problems_and_counts_the_rest():
    error = DataError([f"problem {number}" for number in range(25)])
    assert str(error).splitlines()[19:] == ["problem 19", "... and 5 more"]
    assert "more" not in str(DataError(["one"]))
    assert pickle.loads(pickle.dumps(error)).problems == error.problems
