"""The commands and the programs on the pages of README and docs, run as they are written.

A block that no test can run says so in the line before it: `<!-- not run: cluster -->`, or `an hour`, `network`.
Searches have fewer and shorter trials than a page asks for, and train them in their own process instead of on Ray.
"""

import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(
    r"(?P<mark><!-- not run: [a-z -]+ -->\n)?^```(?P<language>sh|python)\n(?P<text>.*?)^```", re.DOTALL | re.MULTILINE
)
pytestmark = pytest.mark.pages
INSTALLATION = re.compile(r"^pip install .*", re.MULTILINE)  # tests/whole/test_installed.py installs
BEFORE = "import torch\nimages = torch.zeros((2, 3, 32, 32), dtype=torch.uint8)\n"  # what a page calls `images`
CLASSES = {"circle": 60, "cross": 20, "line": 140}  # with the grey level of their images
SHORT = """#!{python}
import sys

from sweep.command import command_of, main
from sweep.trainable.loop import train
from tests.searched import here

words = sys.argv[1:]
if words[0] != "run":
    main()
if "--trials" in words:
    words[words.index("--trials") + 1] = "2"
elif "--budget-epochs" in words:
    words[words.index("--budget-epochs") + 1] = "2"
else:
    words += ["--trials", "2"]
text = " ".join(words)
words += [] if "--max-epochs" in text else ["--max-epochs", "1"]
words += [] if "--space" in text or "arch=" in text else ["--fix", "arch=mlp"]
command_of("run").main(words[1:], prog_name="sweep run", obj=here(train))
"""


def blocks(language):
    """Returns the blocks that a test can run, each as a parameter named after its page and line."""
    runnable = []
    for page in PAGES:
        text = page.read_text()
        for block in BLOCK.finditer(text):
            if block["language"] == language and not block["mark"]:
                line = text[: block.start("text")].count("\n") + 1
                runnable.append(pytest.param(block["text"], id=f"{page.name}:{line}"))
    return runnable


@pytest.fixture(scope="module")
def new_reader(tmp_path_factory):
    """Returns a folder with the data that the pages speak of, and with the command `sweep`."""
    folder = tmp_path_factory.mktemp("reader")
    rng = np.random.default_rng(0)
    for split, images in {"train": 40, "test": 6}.items():
        for number, (label, grey) in enumerate(CLASSES.items()):
            (folder / "photos" / split / label).mkdir(parents=True)
            for image in range(images):
                pixels = rng.integers(grey, grey + 60, (32, 32, 3), np.uint8)
                cv2.imwrite(f"{folder}/photos/{split}/{label}/{number}{image:03d}_{label}_.png", pixels)
    shutil.copytree(folder / "photos", folder / "data")
    (folder / "cifar-10-batches-py").mkdir()
    rows = {b"data": rng.integers(0, 256, (9, 3072), np.uint8), b"labels": [0, 1, 2] * 3}
    for name in ("data_batch_1", "test_batch"):
        (folder / "cifar-10-batches-py" / name).write_bytes(pickle.dumps(rows))
    shutil.copytree(ROOT / "examples", folder / "examples")
    (folder / "bin").mkdir()
    (folder / "bin" / "sweep").write_text(SHORT.format(python=sys.executable))
    (folder / "bin" / "sweep").chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def reader_with_sweeps(new_reader, tmp_path_factory):
    """Returns the same folder with the two ended searches that later pages speak of."""
    folder = shutil.copytree(new_reader, tmp_path_factory.mktemp("later") / "reader")
    for words in ("", "--space heads --sweep sweeps/heads"):
        done = run_in(folder, "bash", "-ec", f"sweep run --data photos {words}")
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


def run_in(folder, *words):
    """Runs a program as a reader of the page would, whose folder it is."""
    paths = os.pathsep.join([f"{folder}/bin", os.environ["PATH"]])
    environment = os.environ | {"PATH": paths, "PYTHONPATH": f"{ROOT}", "RAY_ADDRESS": "local"}
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.pretrained
@pytest.mark.parametrize("text", blocks("sh"))
def test_the_commands_of_a_page_run_as_they_are_written(text, request, tmp_path):
    before = "new_reader" if "sweep run" in text else "reader_with_sweeps"
    folder = shutil.copytree(request.getfixturevalue(before), tmp_path / "reader")

    done = run_in(folder, "bash", "-ec", INSTALLATION.sub("", text))

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.ray
@pytest.mark.parametrize("text", blocks("python"))
def test_the_programs_of_a_page_run_as_they_are_written(text, reader_with_sweeps, tmp_path):
    folder = shutil.copytree(reader_with_sweeps, tmp_path / "reader")

    done = run_in(folder, sys.executable, "-c", BEFORE + text.replace("trials=50", "trials=2, max_epochs=1"))

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_pages_have_such_blocks():
    assert len(blocks("sh")) > 15
    assert len(blocks("python")) > 2
