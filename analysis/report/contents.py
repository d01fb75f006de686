"""Numbers and sentences about a sweep, for the report and the summary, computed from its record alone."""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any

from sweep.analysis.estimates.intervals import FEW_IMAGES, sample_of
from sweep.analysis.estimates.scores import scores_of
from sweep.analysis.record import Record
from sweep.analysis.trial_record import TrialRecord
from sweep.storage.files import DamagedError
from sweep.storage.states import State
from sweep.storage.text import counted
from sweep.trainable.config import AUGMENTATIONS, MIXING
from sweep.trainable.models import unread_fields

LEADERS = 10  # trials on the leaderboard
MOST_FAILURES = 10  # trials that are shown for one reason of failure, or for one note
LONGEST_MESSAGE = 300  # characters of a message that are shown


def count_states(record: Record) -> dict[State, int]:
    """Returns the number of trials in each state that occurs."""
    counts = Counter(trial.state for trial in record.trials)
    return {state: counts[state] for state in State if counts[state]}


def progress(record: Record) -> str:
    """Returns how far the sweep is: `finished, 50 of 50 trials ended`, `running, 9 of 50 trials ended, 14 paused`."""
    counts = count_states(record)
    unended, trials_wanted, budget = counts.get(State.RUNNING, 0), record.trials_wanted, record.settings.budget_epochs
    paused = sum(trial.is_paused for trial in record.trials)
    ended, running = sum(counts.values()) - unended, unended - paused
    text = f"{ended} of {counted(trials_wanted, 'trial')} ended"
    if budget:
        text = f"{counted(ended, 'trial')} ended, {record.epochs:,} of {counted(budget, 'epoch')} trained"
    text += (f", {running} RUNNING" if running else "") + (f", {paused} paused" if paused else "")
    stop_reason = record.file.starts[-1].stopped if record.file.starts else ""
    if ended >= trials_wanted and not unended:
        return f"finished, {text}"
    if stop_reason:
        return f"interrupted ({plain(stop_reason)}), {text}"
    return f"running, {text} (unless its driver was killed)"  # the folder does not show which is true


@lru_cache(maxsize=4)
def histories(record: Record) -> dict[int, list[dict[str, float]]]:
    """Returns, by the number of each trial, its epochs that count; a damaged trial has none.

    The result is computed once for each `Record` object.
    """
    return {trial.number: [] if trial.number in record.damaged else trial.history for trial in record.trials}


def seconds(record: Record, trial: TrialRecord) -> float:
    """Returns the seconds of training of a trial, over the epochs that count."""
    return sum(epoch["seconds"] for epoch in histories(record)[trial.number])


def baselines(record: Record) -> list[TrialRecord]:
    """Returns the trials that are published runs or reference configs, in the order in which they ran."""
    return [trial for trial in record.trials if trial.baseline]


def failures(record: Record) -> dict[str, list[TrialRecord]]:
    """Returns the FAIL trials by their reason, the most frequent reason first."""
    failed = [trial for trial in record.trials if trial.state == State.FAIL]
    reasons = Counter(trial.reason for trial in failed).most_common()
    return {reason: [trial for trial in failed if trial.reason == reason] for reason, _ in reasons}


def micro_batches(record: Record) -> str:
    """Returns, in words, which trials did not fit into a GPU's memory, and the consequence; empty if all fitted."""
    items = []
    for trial in record.trials:
        for epoch in histories(record)[trial.number][-1:]:  # a micro-batch never grows again
            if epoch["micro_batch"] < trial.config["batch_size"]:
                items.append(
                    f"trial {trial.number}: micro-batches of {epoch['micro_batch']} of its batch of "
                    f"{trial.config['batch_size']}"
                )
    if not items:
        return ""
    return (
        f"{'; '.join(items)}, for lack of GPU memory; batch norm sees smaller batches, so the result differs a little."
    )


def notes(record: Record) -> str:
    """Returns what a person should know about how trials were trained on their machines; empty if there is nothing.

    If several trials have the same note, it is shown once, with the numbers of the first of these trials.
    """
    by_note: dict[str, list[int]] = {}
    for trial in record.trials:
        if trial.note:
            by_note.setdefault(trial.note, []).append(trial.number)
    items = []
    for note, numbers in by_note.items():
        numbers_shown = ", ".join(map(str, numbers[:MOST_FAILURES]))
        rest = f" and {len(numbers) - MOST_FAILURES} more" if len(numbers) > MOST_FAILURES else ""
        items.append(f"{'trial' if len(numbers) == 1 else 'trials'} {numbers_shown}{rest}: {plain(note)}")
    return f"{'; '.join(items)}." if items else ""


def config_fields(config: Mapping[str, Any]) -> dict[str, str]:
    """Returns the fields of a config that matter, with their values as they are shown.

    The seed, augmentations that are off and fields that the architecture does not read are left out.
    """
    hidden = {name for name in AUGMENTATIONS + MIXING if config.get(name) == 0} | unread_fields(config.get("arch", ""))
    return {name: value_text(value) for name, value in config.items() if name not in hidden | {"seed"}}


def config_text(config: Mapping[str, Any]) -> str:
    """Returns a config on one line: `arch=cnn, width=2, ...`."""
    return ", ".join(f"{name}={text}" for name, text in config_fields(config).items())


def value_text(value: Any) -> str:
    """Returns the value of a hyperparameter as it is shown, floats with four digits."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:z.4g}" if isinstance(value, float) else str(value)


def duration(seconds: float) -> str:
    """Returns a time as it is shown: `41 s`, `12:05 min` or `3:20 h`."""
    full_seconds = int(seconds)
    if full_seconds < 60:
        return f"{full_seconds} s"
    if full_seconds < 3600:
        return f"{full_seconds // 60}:{full_seconds % 60:02d} min"
    return f"{full_seconds // 3600}:{full_seconds % 3600 // 60:02d} h"


def damage(record: Record) -> str:
    """Returns, in words, how many trials have damaged files and what that means for the report."""
    return (
        f"Kept files of {counted(len(record.damaged), 'trial')} are damaged. What the ledger says of such a trial, its "
        "value and its epoch, still counts; where curves, times or predictions are needed, it is left out."
    )


def plain(text: str, longest: int = LONGEST_MESSAGE) -> str:
    """Returns a text from outside on one line, without control characters and with at most `longest` characters."""
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= longest else text[: longest - 1] + "…"


def standard_error(record: Record, trial: TrialRecord) -> float | None:
    """Returns the standard error of a trial's value that comes from the number of validation images.

    It is None if the predictions of the trial were not kept.
    """
    logits = trial.valid_logits
    return None if logits is None else scores_of(record, [logits]).standard_error()


def scarcity(record: Record) -> str:
    """Returns a warning, to follow other sentences, if there are too few validation images; otherwise nothing."""
    sample, images = sample_of(record), len(record.valid_labels)
    if not sample.is_small:
        return ""
    reason = ""
    if images >= FEW_IMAGES:  # only a balanced accuracy, with classes of unequal size, comes here
        reason = f", for the smallest class has {min(map(len, sample.strata))} and counts as much as the largest"
    return (
        f" {counted(images, 'validation image')} {'is' if images == 1 else 'are'} too few to go by{reason}: which "
        f"trial is the best may be chance, and the intervals are wide. With {FEW_IMAGES} or more they narrow."
    )


def caution(record: Record, best: TrialRecord) -> str:
    """Returns, in a sentence or two, how far the best value can be trusted."""
    images, error = len(record.valid_labels), None
    with suppress(DamagedError):
        error = standard_error(record, best)
    error_text = f"; one standard error on so many images is about {error:.4f}" if error is not None else ""
    rank = f"the best of {len(record.ranked)} trials, each" if len(record.ranked) > 1 else "the only trial with one,"
    return (
        f"It is {rank} at its best epoch, on the same {counted(images, 'validation image')}, and so "
        f"flattered{error_text}.{scarcity(record)}"
    )
