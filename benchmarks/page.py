"""The page of measurements, BENCHMARKS.md: a head and sections, each of which is measured on its own."""

from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "BENCHMARKS.md"
SECTION = "\n\n## "


def put(lines: list[str], page: Path = PAGE) -> None:
    """Writes the page's head and sections that these lines have; those that it has beside them stay."""
    head, *parts = ("\n".join(lines)).strip("\n").removeprefix(SECTION.strip("\n")).split(SECTION)
    old_head, *old_parts = page.read_text().strip("\n").split(SECTION) if page.exists() else [""]
    if lines[0].startswith("## "):
        head, parts = old_head, [head, *parts]
    sections = {part.partition("\n")[0]: part for part in (*old_parts, *parts)}
    page.write_text(SECTION.join([head, *sections.values()]) + "\n")
