"""What the report and the summary say of a sweep: numbers and words, computed from its record alone."""

import math
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

from analysis.record import Record, TrialRecord
from trainable.config import AUGMENTATIONS, MIXING

STATES = ("COMPLETE", "PRUNED", "FAIL", "RUNNING")
METRIC_WORDS = {
    "accuracy": "validation accuracy",
    "balanced_accuracy": "balanced validation accuracy",
    "loss": "validation loss",
}
LEADERS = 10  # trials on the leaderboard
FEWEST_FOR_IMPORTANCES = 10  # COMPLETE trials
LONGEST_MESSAGE = 300  # characters


@dataclass(frozen=True)
class ConfigField:
    """One field of a config as it is shown; `differs`: from the best trial's."""

    name: str
    text: str
    differs: bool


@dataclass(frozen=True)
class ClassRow:
    """How the best trial does on one class.

    Attributes:
      images: of the class in the validation split.
      right: of these, at the trial's best epoch.
      taken_for: the class it is most often mistaken for; empty where there is no mistake.
      mistakes: how often that is.
    """

    label: str
    images: int
    right: int
    taken_for: str
    mistakes: int

    @property
    def accuracy(self) -> float | None:
        return self.right / self.images if self.images else None


def count_states(record: Record) -> dict[str, int]:
    """Trials by state, of the states that occur."""
    counts = Counter(trial.state for trial in record.trials)
    return {state: counts[state] for state in STATES if counts[state]}


def progress(record: Record) -> str:
    """How far the sweep is: `34 of 50 trials ended, 2 RUNNING`."""
    counts = count_states(record)
    running = counts.get("RUNNING", 0)
    ended = sum(counts.values()) - running
    return f"{ended} of {record.settings['trials']} trials ended" + (f", {running} RUNNING" if running else "")


def baselines(record: Record) -> list[TrialRecord]:
    """The trials that repeat published runs, in the order in which they ran."""
    return [trial for trial in record.trials if trial.baseline]


def failures(record: Record) -> dict[str, list[TrialRecord]]:
    """The FAIL trials by reason, the commonest first."""
    found: dict[str, list[TrialRecord]] = {}
    for trial in record.trials:
        if trial.state == "FAIL":
            found.setdefault(trial.reason, []).append(trial)
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def micro_batches(record: Record) -> str:
    """Which trials a GPU's memory was too short for, and what that does to them; empty where there are none."""
    short = []
    for trial in record.trials:
        for epoch in trial.history[-1:]:  # a micro-batch never grows again
            if epoch["micro_batch"] < trial.config["batch_size"]:
                sizes = f"micro-batches of {epoch['micro_batch']} of its batch of {trial.config['batch_size']}"
                short.append(f"trial {trial.number}: {sizes}")
    if not short:
        return ""
    why = "for lack of GPU memory; batch norm sees smaller batches, so the result differs a little"
    return f"{'; '.join(short)}, {why}."


def config_fields(config: Mapping[str, Any], best: Mapping[str, Any]) -> list[ConfigField]:
    """The fields that are set, without the seed; an augmentation that is off shows only where the best has it on."""
    fields = []
    for name, value in config.items():
        is_off = name in AUGMENTATIONS + MIXING and value == 0
        if name != "seed" and not (is_off and not best.get(name)):
            fields.append(ConfigField(name, value_text(value), value != best.get(name)))
    return fields


def config_text(config: Mapping[str, Any]) -> str:
    """A config in one line: `arch=cnn, width=2, ...`."""
    return ", ".join(f"{field.name}={field.text}" for field in config_fields(config, config))


def value_text(value: Any) -> str:
    """A hyperparameter's value as it is shown: floats with four digits."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def duration(seconds: float) -> str:
    """`41 s`, `12:05 min` or `3:20 h`."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d} h"


def plain(text: str) -> str:
    """Text from outside on one line, without control characters and without end."""
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= LONGEST_MESSAGE else text[: LONGEST_MESSAGE - 1] + "…"


def standard_error(record: Record, trial: TrialRecord) -> float | None:
    """Of the trial's value, by the number of validation images alone; None where its predictions were not kept."""
    labels = record.valid_labels
    if record.metric == "loss":
        logits = trial.valid_logits
        if logits is None:
            return None
        logits = logits.astype(np.float64)
        losses = np.logaddexp.reduce(logits, axis=1) - logits[np.arange(len(labels)), labels]
        return float(losses.std() / math.sqrt(len(labels)))
    right = _right(record, trial)
    if right is None:
        return None
    if record.metric == "accuracy":
        return math.sqrt(right.mean() * (1 - right.mean()) / len(labels))
    of_class = [right[labels == label] for label in np.unique(labels)]
    return math.sqrt(sum(r.mean() * (1 - r.mean()) / len(r) for r in of_class)) / len(of_class)


def caution(record: Record, best: TrialRecord) -> str:
    """One sentence: how far the best value can be trusted."""
    images = len(record.valid_labels)
    error = standard_error(record, best)
    size = f"; one standard error on so many images is about {error:.4f}" if error is not None else ""
    return (
        f"It is the best of {len(record.ranked)} trials, each at its best epoch, "
        f"on the same {images:,} validation images, and so flattered{size}."
    )


def confusion(record: Record, trial: TrialRecord) -> np.ndarray | None:
    """(classes, classes) counts at the trial's best epoch, a row a true class; None where predictions were not kept."""
    predicted = trial.valid_classes
    if predicted is None:
        return None
    size = len(record.classes)
    cells = record.valid_labels * size + predicted[trial.best_epoch - 1]
    return np.bincount(cells, minlength=size * size).reshape(size, size)


def class_rows(classes: list[str], matrix: np.ndarray) -> list[ClassRow]:
    """A row a class, of a confusion matrix."""
    rows = []
    for index, label in enumerate(classes):
        mistakes = matrix[index].copy()
        mistakes[index] = 0
        other = int(mistakes.argmax())
        row = ClassRow(
            label=label,
            images=int(matrix[index].sum()),
            right=int(matrix[index, index]),
            taken_for=classes[other] if mistakes[other] else "",
            mistakes=int(mistakes[other]),
        )
        rows.append(row)
    return rows


def importances(record: Record) -> tuple[dict[str, float], str]:
    """The share of each parameter in what sets the best COMPLETE trials apart, largest first; else nothing, and why."""
    complete = count_states(record).get("COMPLETE", 0)
    if complete < FEWEST_FOR_IMPORTANCES:
        return {}, f"it takes {FEWEST_FOR_IMPORTANCES} COMPLETE trials to tell, and there are {complete}"
    # Five trials above the quantile are what the method needs to be stable (Optuna's documentation of it).
    evaluator = PedAnovaImportanceEvaluator(target_quantile=min(0.5, max(0.1, 5 / complete)))
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a branch has few trials; the report says what the figure is worth
            found = get_param_importances(record.study, evaluator=evaluator)
    except Exception as error:  # an estimate beside the results: whatever goes wrong in it, they are to be shown
        return {}, f"they could not be computed: {plain(str(error))}"
    finally:
        optuna.logging.set_verbosity(verbosity)
    if not found or not all(math.isfinite(share) for share in found.values()):
        return {}, "the trials do not differ in any parameter"
    return found, ""


def _right(record: Record, trial: TrialRecord) -> np.ndarray | None:
    predicted = trial.valid_classes
    return None if predicted is None else predicted[trial.best_epoch - 1] == record.valid_labels
