"""Writes BENCHMARKS.md, which has a head and sections that are each measured on their own."""

from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "BENCHMARKS.md"
SECTION = "\n\n## "


def put(lines: list[str], page: Path = PAGE) -> None:
    """Writes the head or the sections that these lines contain into the page; other sections stay."""
    head, *parts = ("\n".join(lines)).strip("\n").removeprefix(SECTION.strip("\n")).split(SECTION)
    old_head, *old_parts = page.read_text().strip("\n").split(SECTION) if page.exists() else [""]
    if lines[0].startswith("## "):
        head, parts = old_head, [head, *parts]
    sections = {part.partition("\n")[0]: part for part in (*old_parts, *parts)}
    page.write_text(SECTION.join([head, *sections.values()]) + "\n")
