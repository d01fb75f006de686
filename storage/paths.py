"""The names of the files in a sweep's folder, and the functions that build and list their paths.

    sweeps/NAME/
      sweep.json  journal.log  lock  log.txt           its settings, its ledger, who drives it, what Ray printed
      data.csv  valid_labels.npy  valid_images.npy     the images and labels that it is run on
      folds.npy                                        with --folds: the fold of each of these images
      left-out.csv                                     with --leave-out: the images that are not used, and why
      near-duplicates.json                             near duplicates across its splits, if there are any
      trials/0007/      one trial: its config and log, and the files named in `KEPT` once it has ended
        attempt-2/      one try of the trial on a worker: checkpoint-0012.safetensors  result.json  hung.txt
                        with folds also fold-01.safetensors: all that is kept of the net of a finished fold
      report.html  report.md  trials.csv  best/  ...   what is made from the trials that have ended
      repeat/  refit/                                  sweeps that train its best configs again

This module imports nothing heavy.
"""

import os
import re
from pathlib import Path

SWEEP_FILE = "sweep.json"
JOURNAL = "journal.log"
LOCK = "lock"
LOG = "log.txt"

DEMO = "demo-images"  # what `sweep.json` records for generated images; for other data it records an absolute path
DATA_TABLE = "data.csv"
SUBMISSION = "submission.json"
OLD_SUBMISSION = "submission.csv"  # the name in older sweeps, which knew only one form of a submission
SAMPLE = "given-submission"  # followed by the suffix of the file that --submission named
LEFT_OUT = "left-out.csv"
NEAR_DUPLICATES = "near-duplicates.json"
VALID_LABELS = "valid_labels.npy"
VALID_IMAGES = "valid_images.npy"
FOLDS = "folds.npy"

CONFIG = "config.json"  # in the folder of a trial, and in `best/`
HISTORY = "history.json"
VALID_CLASSES = "valid_classes.npy"
VALID_LOGITS = "valid_logits.npy"
AVERAGED_LOGITS = "valid_logits_tta.npy"
WEIGHTS = "best.safetensors"
KEPT = (HISTORY, VALID_CLASSES, VALID_LOGITS, AVERAGED_LOGITS, WEIGHTS)  # kept when a trial has ended

EPOCH_LOGITS = re.compile(r"valid_logits-(\d{4,})\.npy")  # kept too: the predictions of an epoch beside the best one

MOST_ATTEMPTS = 10_000  # no driver makes an attempt's folder with a larger number
RESULT = "result.json"
HUNG = "hung.txt"

BEST = "best"
BEST_WEIGHTS = "model.safetensors"
PRETRAINED = "pretrained"  # a folder in `best/`
REPORT_PAGE = "report.html"
REPORT_TEXT = "report.md"
TRIALS_CSV = "trials.csv"
TRIALS_PARQUET = "trials.parquet"
EPOCHS_PARQUET = "epochs.parquet"
OOF = "oof.csv"
PREDICTIONS = "predictions.csv"
TEST_PROBABILITIES = "test_probabilities.csv"
TEST_SCORE = "test_score.json"

REPEAT = "repeat"
REFIT = "refit"


def is_sweep(folder: Path) -> bool:
    """Returns whether a sweep was begun in this folder; it may be damaged."""
    return (folder / SWEEP_FILE).exists()


def trial_folder(sweep: Path, number: int) -> Path:
    """Returns the folder of a trial, whether it exists or not."""
    return sweep / "trials" / f"{number:04d}"


def attempt_folder(trial: Path, attempt: int) -> Path:
    """Returns the folder of an attempt, whether it exists or not; attempts count from 1."""
    return trial / f"attempt-{attempt}"


def attempts(trial: Path) -> list[Path]:
    """Returns the folders of a trial's attempts that exist, in no particular order."""
    return list(trial.glob("attempt-*"))


def attempt_number(folder: Path) -> int:
    """Returns K for a folder named `attempt-K`, or 0 if the folder is not an attempt's."""
    text = folder.name.removeprefix("attempt-")
    is_one = text.isascii() and text.isdigit() and folder.is_dir() and not folder.is_symlink()
    return int(text) if is_one and int(text) <= MOST_ATTEMPTS else 0


def has_ended(trial: Path) -> bool:
    """Returns whether all files that are kept of a trial were written and the folders of its attempts are removed."""
    return (trial / HISTORY).exists() and not attempts(trial)


def epoch_logits_path(trial: Path, epoch: int) -> Path:
    """Returns the path of the predictions after one epoch that is not the trial's best one."""
    return trial / f"valid_logits-{epoch:04d}.npy"


def epoch_logits(trial: Path) -> dict[int, Path]:
    """Returns the files with a trial's predictions after epochs other than its best, by epoch, in no order."""
    matches = ((EPOCH_LOGITS.fullmatch(path.name), path) for path in trial.glob("valid_logits-*.npy"))
    return {int(match[1]): path for match, path in matches if match}


def is_kept(name: str) -> bool:
    """Returns whether a file of this name stays in the folder of a trial that has ended."""
    return name in KEPT or EPOCH_LOGITS.fullmatch(name) is not None


def checkpoint_path(attempt: Path, epoch: int) -> Path:
    """Returns the path of the checkpoint that an attempt writes after an epoch."""
    return attempt / f"checkpoint-{epoch:04d}.safetensors"


def checkpoints(attempt: Path) -> list[Path]:
    """Returns the checkpoint files of an attempt, the newest first."""
    paths = [path for path in attempt.glob("checkpoint-*.safetensors") if re.fullmatch(r"checkpoint-\d+", path.stem)]
    return sorted(paths, key=_epoch, reverse=True)


def fold_path(attempt: Path, fold: int) -> Path:
    """Returns the path of the file that an attempt writes when the net of a fold is trained to its end."""
    return attempt / f"fold-{fold:02d}.safetensors"


def finished_folds(trial: Path, up_to_attempt: int) -> dict[int, list[Path]]:
    """Returns the files of the nets that were trained to their end, by fold; for each the newest attempt's first."""
    folds: dict[int, list[Path]] = {}
    for attempt in (attempt_folder(trial, k) for k in range(up_to_attempt, 0, -1)):
        for path in attempt.glob("fold-*.safetensors"):
            if re.fullmatch(r"fold-\d\d", path.stem):
                folds.setdefault(int(path.stem.removeprefix("fold-")), []).append(path)
    return dict(sorted(folds.items()))


def newest_checkpoints(trial: Path, up_to_attempt: int) -> list[Path]:
    """Returns the checkpoints from which a trial can continue, the one with the most epochs first."""
    paths = [path for k in range(1, up_to_attempt + 1) for path in checkpoints(attempt_folder(trial, k))]
    return sorted(paths, key=_epoch, reverse=True)


def _epoch(checkpoint: Path) -> int:
    """Returns the epoch of a checkpoint as a number, because as text 9999 would be sorted after 10000."""
    return int(checkpoint.stem.split("-")[1])


def own_images(folder: Path, kind: str = "search") -> Path:
    """Returns the folder of a sweep's generated images, whether it exists or not.

    The images lie in the sweep's own folder and move with it. A repeat and a refit lie in the folder of their search
    and use the images of the search.

    Args:
      folder: the folder of the sweep.
      kind: the kind of the sweep, as `sweep.json` records it.
    """
    home = folder.resolve()
    return (home if kind == "search" else home.parent) / DEMO


def pretrained(sweep: Path, kind: str = "search") -> Path:
    """Returns the folder of the pretrained nets that the sweep's model files refer to, whether it exists or not.

    A model file with a head alone does not contain the pretrained net that it stands on. A repeat and a refit lie in
    the folder of their search and use the nets in the `best/` of the search.
    """
    return (sweep if kind == "search" else sweep.parent) / BEST / PRETRAINED


def to_place(folder: Path, kind: str, record: str) -> str:
    """Returns the absolute path of the data, from what `sweep.json` in `folder` records; inverse of `to_record`."""
    images = own_images(folder, kind)
    # Older versions recorded the absolute path of generated images, which is wrong once the folder was moved.
    if record == DEMO or (os.path.basename(record) == DEMO and images.is_dir()):
        return str(images)
    return record


def to_record(folder: Path, kind: str, place: str) -> str:
    """Returns what `sweep.json` in `folder` records for data that lies at `place`."""
    return DEMO if is_same(place, str(own_images(folder, kind))) else place


def sample_to_place(folder: Path, kind: str, record: str) -> str:
    """Returns the path of the sample submission that `sweep.json` in `folder` records.

    A sample that the sweep keeps in its own folder is recorded by its name alone, and gets its path here. Any other
    text, such as the name of a file in the data, is returned unchanged.
    """
    is_kept = record.startswith(SAMPLE) and "/" not in record
    return str(own_images(folder, kind).with_name(record)) if is_kept else record


def sample_to_record(folder: Path, kind: str, place: str) -> str:
    """Returns what `sweep.json` in `folder` records for a sample submission; inverse of `sample_to_place`.

    That is the name alone for a sample that the sweep keeps in its folder, and `place` for any other.
    """
    name = os.path.basename(place)
    is_kept = name.startswith(SAMPLE) and is_same(place, str(own_images(folder, kind).with_name(name)))
    return name if is_kept else place


def is_same(place: str, other: str) -> bool:
    """Returns whether both paths lead to the same place, which need not exist."""
    return os.path.realpath(place) == os.path.realpath(other)
