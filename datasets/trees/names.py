"""The names of an archive's members, as those of files in a tree."""

import re


def leads_out(stored: str) -> bool:
    """Says whether a member's name leads out of its archive."""
    # A backslash that separates no folders here would do so on Windows.
    return ".." in re.split(r"[/\\]", stored) or re.match(r"([A-Za-z]:)?[/\\]", stored) is not None


def parts_of(stored: str) -> list[str]:
    return [part for part in stored.split("/") if part not in ("", ".")]


def parents_of(parts: list[str]) -> set[str]:
    """Returns the folders that a name is in."""
    return {"/".join(parts[:depth]) for depth in range(1, len(parts))}
