"""The names in a sweep's folder, and where each file of it lies.

    sweeps/NAME/
      sweep.json  journal.log  lock  log.txt           what it is, its ledger, who drives it, what Ray said
      data.csv  valid_labels.npy  valid_images.npy     what it is run on
  folds.npy                                        the fold of each of these images, where they are divided
      left-out.csv                                     the images that are not used, where `--leave-out` asked for it
      near-duplicates.json                             those across its splits, some with pictures, where there are any
      trials/0007/      a trial: its config and log, and once it has ended `KEPT`
        attempt-2/      one try of it on a worker: checkpoint-0012.safetensors  result.json  hung.txt
                        and with folds fold-01.safetensors, all that is kept of a net that is trained to its end
      report.html  report.md  trials.csv  best/  ...   what is made of the trials that have ended
      repeat/  refit/                                  sweeps of its best configs

Imports nothing heavy.
"""

import os
import re
from pathlib import Path

SWEEP_FILE = "sweep.json"
JOURNAL = "journal.log"
LOCK = "lock"
LOG = "log.txt"

DEMO = "demo-images"  # what `sweep.json` records of data that was generated; of any other an absolute path
DATA_TABLE = "data.csv"
SUBMISSION = "submission.json"
OLD_SUBMISSION = "submission.csv"  # as sweeps had it when one form was known
SAMPLE = "given-submission"  # and the suffix of the file that --submission named
LEFT_OUT = "left-out.csv"
NEAR_DUPLICATES = "near-duplicates.json"
VALID_LABELS = "valid_labels.npy"
VALID_IMAGES = "valid_images.npy"
FOLDS = "folds.npy"

CONFIG = "config.json"  # of a trial, and of the best model
HISTORY = "history.json"
VALID_CLASSES = "valid_classes.npy"
VALID_LOGITS = "valid_logits.npy"
AVERAGED_LOGITS = "valid_logits_tta.npy"
WEIGHTS = "best.safetensors"
KEPT = (HISTORY, VALID_CLASSES, VALID_LOGITS, AVERAGED_LOGITS, WEIGHTS)  # of an ended trial

EPOCH_LOGITS = re.compile(r"valid_logits-(\d{4,})\.npy")  # likewise, of an epoch beside the best one

MOST_ATTEMPTS = 10_000  # a folder with a larger number is none of a driver's
RESULT = "result.json"
HUNG = "hung.txt"

BEST = "best"
BEST_WEIGHTS = "model.safetensors"
PRETRAINED = "pretrained"  # in `best/`
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
    """Whether a sweep was begun there, damaged or not."""
    return (folder / SWEEP_FILE).exists()


def trial_folder(sweep: Path, number: int) -> Path:
    return sweep / "trials" / f"{number:04d}"


def attempt_folder(trial: Path, attempt: int) -> Path:
    return trial / f"attempt-{attempt}"


def attempts(trial: Path) -> list[Path]:
    """Returns the folders of the attempts that there are, in no order."""
    return list(trial.glob("attempt-*"))


def attempt_number(folder: Path) -> int:
    """Returns the K of a folder `attempt-K`; 0 where it is no attempt's."""
    text = folder.name.removeprefix("attempt-")
    is_one = text.isascii() and text.isdigit() and folder.is_dir() and not folder.is_symlink()
    return int(text) if is_one and int(text) <= MOST_ATTEMPTS else 0


def has_ended(trial: Path) -> bool:
    """Whether all that is kept of a trial was written, and its attempts are gone."""
    return (trial / HISTORY).exists() and not attempts(trial)


def epoch_logits_path(trial: Path, epoch: int) -> Path:
    return trial / f"valid_logits-{epoch:04d}.npy"


def epoch_logits(trial: Path) -> dict[int, Path]:
    """Returns by their epochs the files with predictions of a trial that are not of its best one, in no order."""
    named = ((EPOCH_LOGITS.fullmatch(path.name), path) for path in trial.glob("valid_logits-*.npy"))
    return {int(match[1]): path for match, path in named if match}


def is_kept(name: str) -> bool:
    """Whether a file of this name is kept in the folder of an ended trial."""
    return name in KEPT or EPOCH_LOGITS.fullmatch(name) is not None


def checkpoint_path(attempt: Path, epoch: int) -> Path:
    return attempt / f"checkpoint-{epoch:04d}.safetensors"


def checkpoints(attempt: Path) -> list[Path]:
    """Returns the checkpoint files of an attempt, the newest first."""
    found = [path for path in attempt.glob("checkpoint-*.safetensors") if re.fullmatch(r"checkpoint-\d+", path.stem)]
    return sorted(found, key=_epoch, reverse=True)


def fold_path(attempt: Path, fold: int) -> Path:
    return attempt / f"fold-{fold:02d}.safetensors"


def finished_folds(trial: Path, up_to_attempt: int) -> dict[int, list[Path]]:
    """Returns the files of the nets that came to their end, by their folds, those of the newest attempt first."""
    found: dict[int, list[Path]] = {}
    for attempt in (attempt_folder(trial, k) for k in range(up_to_attempt, 0, -1)):
        for path in attempt.glob("fold-*.safetensors"):
            if re.fullmatch(r"fold-\d\d", path.stem):
                found.setdefault(int(path.stem.removeprefix("fold-")), []).append(path)
    return dict(sorted(found.items()))


def newest_checkpoints(trial: Path, up_to_attempt: int) -> list[Path]:
    """Returns the checkpoints that a trial can go on from, the furthest first."""
    found = [path for k in range(1, up_to_attempt + 1) for path in checkpoints(attempt_folder(trial, k))]
    return sorted(found, key=_epoch, reverse=True)


def _epoch(checkpoint: Path) -> int:
    """Returns the epoch that a checkpoint is of: a number, for as text 9999 comes after 10000."""
    return int(checkpoint.stem.split("-")[1])


def own_images(folder: Path, kind: str = "search") -> Path:
    """Returns where the generated images of a sweep lie, there or not; `kind` as `sweep.json` has it.

    They are in the sweep's own folder, and move with it. A repeat and a refit lie in the folder of their search, and
    use its images.
    """
    home = folder.resolve()
    return (home if kind == "search" else home.parent) / DEMO


def pretrained(sweep: Path, kind: str = "search") -> Path:
    """Returns the folder with the pretrained nets that models of a sweep leave out of their own files, there or not.

    A repeat and a refit, which lie in the folder of their search, use those of its `best/`.
    """
    return (sweep if kind == "search" else sweep.parent) / BEST / PRETRAINED


def to_place(folder: Path, kind: str, recorded: str) -> str:
    """Returns the absolute path of the data that `sweep.json` in `folder` records."""
    own = own_images(folder, kind)
    # Sweeps of before have the absolute path of their images, which is another one once the folder was moved.
    if recorded == DEMO or (os.path.basename(recorded) == DEMO and own.is_dir()):
        return str(own)
    return recorded


def to_record(folder: Path, kind: str, place: str) -> str:
    """Returns what `sweep.json` in `folder` records of data that lies at `place`."""
    return DEMO if is_same(place, str(own_images(folder, kind))) else place


def sample_to_place(folder: Path, kind: str, recorded: str) -> str:
    """Returns the path of the sample submission that `sweep.json` in `folder` records; a name in the data as it is."""
    is_kept = recorded.startswith(SAMPLE) and "/" not in recorded
    return str(own_images(folder, kind).with_name(recorded)) if is_kept else recorded


def sample_to_record(folder: Path, kind: str, place: str) -> str:
    """Returns what `sweep.json` in `folder` records of a sample: the name alone of one that a sweep keeps."""
    name = os.path.basename(place)
    is_kept = name.startswith(SAMPLE) and is_same(place, str(own_images(folder, kind).with_name(name)))
    return name if is_kept else place


def is_same(place: str, other: str) -> bool:
    """Whether both paths lead to one place, which need not exist."""
    return os.path.realpath(place) == os.path.realpath(other)
