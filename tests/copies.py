"""A temporary copy of the project, to which a test adds a variant as whoever contributes one would."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CODE = ("storage", "datasets", "trainable", "analysis", "search", "sweep", "examples", "tests")


def copied_project(folder: Path) -> Path:
    """Copies the code and its tests."""
    for name in CODE:
        ignored = shutil.ignore_patterns("__pycache__", "fixtures")
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def add_line(file: Path, after: str, line: str) -> None:
    """Adds one line to a file, below the one line that is `after`."""
    lines = file.read_text().splitlines()
    place = lines.index(after) + 1
    assert after not in lines[place:]
    file.write_text("\n".join([*lines[:place], line, *lines[place:], ""]))


def run_in(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs Python in the copy, whose code is what is imported there."""
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True)
