"""Trees whose containers are open."""

from pathlib import Path

import pytest

from sweep.datasets.file_tree import FileTree
from sweep.datasets.problems import Findings


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def opened():
    """Opens a path, and returns its tree and what was found."""
    trees = []

    def open_path(path: Path, announce=lambda sentence: None) -> tuple[FileTree, Findings]:
        tree, findings = FileTree(path, announce=announce), Findings()
        trees.append(tree)
        tree.open_containers(findings)
        return tree, findings

    yield open_path
    for tree in trees:
        tree.close()
