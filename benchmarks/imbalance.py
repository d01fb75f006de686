"""Do sweeps that search how unequal classes are handled answer rare classes better than those that do not?

    SWEEP_TEST_CIFAR=cifar10-subset.zip make bench ARGS=imbalance     # its section of BENCHMARKS.md; the rest stays
    SWEEP_TEST_CIFAR=... .venv/bin/python -m benchmarks.imbalance 3 4     # with these seeds, printed alone

The train split of the archive is cut to fewer images a class, in the order of the names of the classes; of each class
the first images by name stay. The test split stays as it is, with as many images of each class. On each seed two sweeps
over heads on the same features differ in two things: what they are judged by, and whether imbalance is searched.
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
LEAST = 0.02  # of macro F1, by which the one must be better than the other
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
    """What a sweep's `predictions.csv` says of the test images.

    Attributes:
      labels, answers: (N,) class indices.
    """

    labels: np.ndarray
    answers: np.ndarray

    def confusion(self, weights: np.ndarray | None = None) -> np.ndarray:
        """Returns (classes, classes): how many images of each true class, a row, got each answer, a column."""
        classes = len(COUNTS)
        cells = np.bincount(self.labels * classes + self.answers, weights, classes**2)
        return cells.reshape(classes, classes)


def macro_f1(confusion: np.ndarray) -> float:
    """Returns the mean of the classes' F1; of a class that is neither there nor answered it is 0."""
    both = confusion.sum(0) + confusion.sum(1)
    return float(np.mean(2 * np.diag(confusion) / np.where(both > 0, both, 1)))


def cut(packed: Path, folder: Path) -> None:
    """Writes the data set into a folder, as folders of classes."""
    with zipfile.ZipFile(packed) as archive:
        for name in _kept(archive.namelist()):
            archive.extract(name, folder)


def _kept(names: Sequence[str]) -> Iterator[str]:
    classes = sorted({PurePosixPath(name).parts[1] for name in names if name.startswith("train/")})
    for label, count in zip(classes, COUNTS, strict=True):
        yield from sorted(name for name in names if name.startswith(f"train/{label}/"))[:count]
    yield from (name for name in names if name.startswith("test/") and not name.endswith("/"))


def swept(data: Path, sweep: Path, seed: int, words: Sequence[str]) -> Answers:
    """Runs a sweep, and returns what it answers on the test images, by whatever it chose to predict with."""
    command = [*(sys.executable, "-m", "search.run", "--data", data, "--sweep", sweep, "--space", "heads")]
    command += ["--trials", TRIALS, "--seed", seed, *words]
    subprocess.run([*map(str, command)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    with (sweep / "predictions.csv").open(newline="") as file:
        answered = {row["id"]: row["label"] for row in csv.DictReader(file)}
    return _scored(answered, data)


def _scored(answered: dict[str, str], data: Path) -> Answers:
    classes = sorted(folder.name for folder in (data / "train").iterdir())
    truth = {file.relative_to(data / "test").as_posix(): file.parent.name for file in (data / "test").glob("*/*")}
    found = {"/".join(PurePosixPath(name).parts[-2:]): label for name, label in answered.items()}
    assert found.keys() == truth.keys(), "predictions are of other images than the test split has"
    labels, answers = (np.array([classes.index(of[name]) for name in sorted(truth)]) for of in (truth, found))
    return Answers(labels, answers)


def interval(pairs: Sequence[tuple[Answers, Answers]]) -> tuple[float, float]:
    """Returns the 95 % bootstrap interval of the mean difference of macro F1 over the seeds.

    A draw takes as many test images as there are, with replacement, the same ones for every sweep.
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
    """Returns the section of the page, line by line, and whether what must hold does.

    Raises:
      KeyError: the environment does not name the archive, SWEEP_TEST_CIFAR.
    """
    packed = Path(os.environ["SWEEP_TEST_CIFAR"])
    with tempfile.TemporaryDirectory(prefix="imbalance-") as name:
        folder = Path(name)
        cut(packed, folder / "data")
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
    holds = difference >= LEAST and low > 0
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
        f"images {100 * low:+.1f} to {100 * high:+.1f}; it must be {100 * LEAST:.0f} points, and the interval above 0: "
        f"{'reached' if holds else '**missed**'}.",
    ]
    return lines, holds


def _values(answers: Answers) -> tuple[float, float, float]:
    """Returns macro F1, accuracy, and the mean recall of the classes with less than 100 train images."""
    confusion = answers.confusion()
    recalls = np.diag(confusion) / confusion.sum(1)
    rare = np.array(COUNTS) < 100
    return macro_f1(confusion), float(np.diag(confusion).sum() / confusion.sum()), float(recalls[rare].mean())


if __name__ == "__main__":
    found, is_reached = section([*map(int, sys.argv[1:])])
    print("\n".join(found))
    sys.exit(0 if is_reached else 1)
