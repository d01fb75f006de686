"""Compares sweeps that search how unequal classes are handled with sweeps that do not, by their answers on rare ones.

    SWEEP_TEST_CIFAR=cifar10-subset.zip make bench ARGS=imbalance     # its section of BENCHMARKS.md; the rest stays
    SWEEP_TEST_CIFAR=... .venv/bin/python -m benchmarks.imbalance 3 4     # with these seeds, printed alone

The train split of the archive is cut to fewer images per class, in the order of the class names; the first images of
each class by name are kept. The test split stays as it is, with equally many images of each class. For each seed two
sweeps over heads on the same features differ in two things: their metric, and whether the handling of imbalance is
searched.
"""

import csv
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from benchmarks.conditions import conditions
from sweep.trainable.config import UNHANDLED

ROOT = Path(__file__).resolve().parents[1]
COUNTS = 1200, 800, 500, 300, 200, 120, 70, 40, 25, 15
SEEDS = 0, 1, 2
TRIALS = 30
REQUIRED_GAIN = 0.02  # by which the macro F1 of the first sweep must be better
DRAWS = 10_000
WAYS = {
    "searched": ["--metric", "macro_f1"],
    "not searched": [
        *("--metric", "accuracy"),
        *(word for name, value in UNHANDLED.items() for word in ("--fix", f"{name}={value}")),
    ],
}


@dataclass(frozen=True)
class Answers:
    """The answers in a sweep's `predictions.csv` for the test images.

    Attributes:
      labels, answers: (N,) class indices.
    """

    labels: np.ndarray
    answers: np.ndarray

    def confusion(self, weights: np.ndarray | None = None) -> np.ndarray:
        """Returns (classes, classes): the number of images of each true class (row) that got each answer (column)."""
        classes = len(COUNTS)
        cells = np.bincount(self.labels * classes + self.answers, weights, classes**2)
        return cells.reshape(classes, classes)


def macro_f1(confusion: np.ndarray) -> float:
    """Returns the mean of the classes' F1, which is 0 for a class that is neither present nor predicted."""
    totals = confusion.sum(0) + confusion.sum(1)
    return float(np.mean(2 * np.diag(confusion) / np.where(totals > 0, totals, 1)))


def cut(archive_path: Path, folder: Path) -> None:
    """Extracts the reduced data set into a folder, with a subfolder for each class."""
    with zipfile.ZipFile(archive_path) as archive:
        for name in _names_to_keep(archive.namelist()):
            archive.extract(name, folder)


def _names_to_keep(names: Sequence[str]) -> Iterator[str]:
    classes = sorted({PurePosixPath(name).parts[1] for name in names if name.startswith("train/")})
    for label, count in zip(classes, COUNTS, strict=True):
        yield from sorted(name for name in names if name.startswith(f"train/{label}/"))[:count]
    yield from (name for name in names if name.startswith("test/") and not name.endswith("/"))


def swept(data: Path, sweep: Path, seed: int, words: Sequence[str]) -> Answers:
    """Runs a sweep, and returns its answers on the test images by the model that it chose for predictions."""
    command = [*(sys.executable, "-m", "search.run", "--data", data, "--sweep", sweep, "--space", "heads")]
    command += ["--trials", TRIALS, "--seed", seed, *words]
    subprocess.run([*map(str, command)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    with (sweep / "predictions.csv").open(newline="") as file:
        labels_by_name = {row["id"]: row["label"] for row in csv.DictReader(file)}
    return _match_answers(labels_by_name, data)


def _match_answers(labels_by_name: dict[str, str], data: Path) -> Answers:
    classes = sorted(folder.name for folder in (data / "train").iterdir())
    truth = {file.relative_to(data / "test").as_posix(): file.parent.name for file in (data / "test").glob("*/*")}
    predictions = {"/".join(PurePosixPath(name).parts[-2:]): label for name, label in labels_by_name.items()}
    assert predictions.keys() == truth.keys(), "predictions are of other images than the test split has"
    labels, answers = (
        np.array([classes.index(labels_by_path[path]) for path in sorted(truth)])
        for labels_by_path in (truth, predictions)
    )
    return Answers(labels, answers)


def interval(pairs: Sequence[tuple[Answers, Answers]]) -> tuple[float, float]:
    """Returns the 95 % bootstrap interval of the mean difference of macro F1 over the seeds.

    Each draw takes as many test images as there are, with replacement, and the same ones for every sweep.
    """
    rng, differences = np.random.default_rng(0), np.zeros(DRAWS)
    images = len(pairs[0][0].labels)
    for draw in range(DRAWS):
        weights = np.bincount(rng.integers(0, images, images), minlength=images)
        values = [[macro_f1(each.confusion(weights)) for each in pair] for pair in pairs]
        differences[draw] = np.mean([one - other for one, other in values])
    low, high = np.quantile(differences, [0.025, 0.975])
    return float(low), float(high)


def section(seeds: Sequence[int]) -> tuple[list[str], bool]:
    """Returns the lines of the page's section, and whether the difference is as large as it must be.

    Raises:
      KeyError: the environment does not name the archive by SWEEP_TEST_CIFAR.
    """
    archive_path = Path(os.environ["SWEEP_TEST_CIFAR"])
    with tempfile.TemporaryDirectory(prefix="imbalance-") as name:
        folder = Path(name)
        cut(archive_path, folder / "data")
        pairs = []
        for seed in seeds:
            one, other = (
                swept(folder / "data", folder / f"{way}-{seed}".replace(" ", "-"), seed, words)
                for way, words in WAYS.items()
            )
            pairs.append((one, other))
            print(f"seed {seed}: {macro_f1(one.confusion()):.4f} and {macro_f1(other.confusion()):.4f}", flush=True)
    rows = [[each for answers in pair for each in _values(answers)] for pair in pairs]
    difference = float(np.mean([macro_f1(one.confusion()) - macro_f1(other.confusion()) for one, other in pairs]))
    low, high = interval(pairs)
    is_reached = difference >= REQUIRED_GAIN and low > 0
    counts = ", ".join(f"{count:,}" for count in COUNTS)
    lines = [
        conditions("make bench ARGS=imbalance", f"{len(seeds)} seeds"),
        "",
        f"CIFAR-10's classes with {counts} train images, a part of which becomes the validation split, and 2,000 test",
        f"images, 200 of each class. {TRIALS} trials of `--space heads` by macro F1 with imbalance searched, beside as",
        f"many by accuracy with `{' '.join(WAYS['not searched'][2:])}`. What is scored on the test",
        "split is `predictions.csv`; a class is rare that has less than 100 train images.",
        "",
        "| seed | macro F1, searched | accuracy | recall of the four rare classes | macro F1, not searched | accuracy "
        "| recall of the four rare classes |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(
            f"| {seed} | {' | '.join(f'{100 * value:.1f} %' for value in row)} |"
            for seed, row in zip(seeds, rows, strict=True)
        ),
        "",
        f"Macro F1 is {100 * difference:+.1f} points better in the mean, 95 % paired bootstrap interval over the test "
        f"images {100 * low:+.1f} to {100 * high:+.1f}; it must be {100 * REQUIRED_GAIN:.0f} points, and the "
        f"interval above 0: {'reached' if is_reached else '**missed**'}.",
    ]
    return lines, is_reached


def _values(answers: Answers) -> tuple[float, float, float]:
    """Returns macro F1, accuracy, and the mean recall of the classes with fewer than 100 training images."""
    confusion = answers.confusion()
    recalls = np.diag(confusion) / confusion.sum(1)
    is_rare = np.array(COUNTS) < 100
    return macro_f1(confusion), float(np.diag(confusion).sum() / confusion.sum()), float(recalls[is_rare].mean())


if __name__ == "__main__":
    lines, is_reached = section([*map(int, sys.argv[1:])])
    print("\n".join(lines))
    sys.exit(0 if is_reached else 1)
