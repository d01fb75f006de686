"""The list of tables says of each how far it is, how it was made, and its hash."""

from hashlib import sha256

from benchmarks.curves.listing import write_list
from benchmarks.curves.table import Table, write
from tests.benchmarks.curves.test_table import about, curve


def rows_of(folder):
    lines = (folder / "README.md").read_text().splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]


def test_the_list_has_a_row_for_each_table_in_the_folder(tmp_path):
    write(tmp_path / "whole.safetensors", Table(about(rows=3), (curve(0, 4, 4), curve(0, 4, 4, 1), curve(1, 9, 2))))
    write(tmp_path / "part.safetensors", Table(about(rows=8), (curve(0, 4, 4),)))

    write_list(tmp_path)

    head, _, part, whole = rows_of(tmp_path)
    content = (tmp_path / "whole.safetensors").read_bytes()
    by_name = dict(zip(head, whole, strict=True))
    assert by_name["table"] == "whole"
    assert (by_name["curves"], by_name["draws"], by_name["diverged"], by_name["epochs"]) == ("3", "2", "1", "10")
    assert by_name["SHA-256"] == f"`{sha256(content).hexdigest()}`"
    assert dict(zip(head, part, strict=True))["curves"] == "the first 1 of 8"


def test_the_list_says_by_which_runs_each_table_was_made(tmp_path):
    runs = ("one command, one commit", "the same command, another commit")
    write(tmp_path / "some.safetensors", Table(about(conditions=runs), (curve(0, 1, 1),)))

    write_list(tmp_path)

    assert [line for line in (tmp_path / "README.md").read_text().splitlines() if line.startswith("- ")] == [
        f"- {run}" for run in runs
    ]
