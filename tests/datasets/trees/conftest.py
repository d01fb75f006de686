"""Trees whose containers are open."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from datasets.file_tree import FileTree
from datasets.listing_rules import LISTING_RULES
from datasets.problems import Findings

OPENING = 99  # listing rules that open containers


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def opened(monkeypatch):
    """Opens a path, and returns its tree and what was found."""
    monkeypatch.setitem(LISTING_RULES, OPENING, replace(LISTING_RULES[2], opens_containers=True))
    trees = []

    def open_path(path: Path, announce=lambda sentence: None) -> tuple[FileTree, Findings]:
        tree, findings = FileTree(path, OPENING, announce), Findings()
        trees.append(tree)
        tree.open_containers(findings)
        return tree, findings

    yield open_path
    for tree in trees:
        tree.close()


def settle(path: Path) -> Path:
    """Makes a file look as if it had not changed for an hour; the time of change of its entry cannot be set."""
    os.utime(path, (os.stat(path).st_mtime - 3600,) * 2)
    return path
