"""The pages of the documentation."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_pages_are_built_without_a_warning(tmp_path):
    words = ["--builder", "html", "--fail-on-warning", "--keep-going", "--quiet", "-d", tmp_path / "trees"]
    command = [sys.executable, "-m", "sphinx", *map(str, words), f"{ROOT / 'docs'}", f"{tmp_path / 'html'}"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert (tmp_path / "html" / "index.html").exists()
