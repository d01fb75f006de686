"""A section of the page of measurements is written without the others."""

from benchmarks.page import put


def test_a_section_takes_the_place_of_the_one_with_its_title(tmp_path):
    page = tmp_path / "page.md"
    put(["# Title", "", "head", "", "## A", "", "old", "", "## B", "", "stays"], page)

    put(["## A", "", "new"], page)
    put(["## C", "", "more"], page)

    assert page.read_text() == "# Title\n\nhead\n\n## A\n\nnew\n\n## B\n\nstays\n\n## C\n\nmore\n"
