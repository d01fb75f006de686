"""Checks and splits the names of files in an archive."""

import re


def leads_out(name: str) -> bool:
    """Returns whether a name leads out of its archive."""
    # A backslash counts as well, because it separates folders on Windows.
    return ".." in re.split(r"[/\\]", name) or re.match(r"([A-Za-z]:)?[/\\]", name) is not None


def parts_of(name: str) -> list[str]:
    """Returns the parts of a name, without empty ones and `.`."""
    return [part for part in name.split("/") if part not in ("", ".")]


def parents_of(parts: list[str]) -> set[str]:
    """Returns the folders in which a name lies."""
    return {"/".join(parts[:depth]) for depth in range(1, len(parts))}
