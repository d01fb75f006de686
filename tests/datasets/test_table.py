import pytest

from sweep.datasets.problems import Problem
from sweep.datasets.table import parse_table


def test_all_problems_are_told_not_only_the_first():
    _, problems = parse_table(b"id,label\n../a,1\nb\nc,1\nc,2\n", "t.txt")
    assert [problem.place for problem in problems] == ["t.txt:2", "t.txt:3", "t.txt:5"]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("last", [True, False])
def test_any_line_ending_and_a_byte_order_mark_are_accepted(newline, bom, last):
    text = bom + newline.join(["id,label", "a.png,1", "b.png,0"]) + (newline if last else "")
    table, _ = parse_table(text.encode(), "t.txt")
    assert (table.ids, table.labels, table.lines) == (("a.png", "b.png"), ("1", "0"), (2, 3))


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_the_line_of_a_problem_is_counted_with_any_line_ending(newline):
    lines = ["id,label", "a.png,1", "../b.png,0"]
    _, problems = parse_table(newline.join(lines).encode(), "t.txt")
    assert str(problems[0]).startswith("t.txt:3: id must be a relative path")
    _, problems = parse_table(newline.join(lines).encode() + b"\xff", "t.txt")
    assert problems == [Problem("t.txt:3", "text must be UTF-8", "byte 0xff", "save the file as UTF-8")]
