"""Damages the journal of a little sweep in every place: is anything lost, or other, without a word?

Used by `tests/search/checks/test_damage.py` in some places and by `make reliability` in all.
"""

import contextlib
import io
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial

from sweep.analysis.outputs.results import write_results
from sweep.analysis.record import Record
from sweep.datasets.fingerprint import data_table
from sweep.datasets.pixels.dataset import Dataset, Split
from sweep.datasets.pixels.thumbnails import thumbnails
from sweep.search.checks.command import check
from sweep.search.runtime.draws import trial_seed
from sweep.storage.files import save_array
from sweep.storage.journal import Journal, JournalError, parse, repair_tail
from sweep.storage.sweep_file import SweepFile
from sweep.trainable.config import TrialConfig
from sweep.trainable.loop import Diverged
from sweep.trainable.metrics import measure
from sweep.trainable.metrics.history import EpochMetrics
from sweep.trainable.state import TrainState
from tests.trials import execute, in_memory, open_bridge

SEED = 7
SWEEP_ID = "a" * 32
CREATE_TRIAL = 4  # Optuna's code of the record that begins a trial
REPAIRED_FLIPS = 4  # each so many-th of the flips is repaired as well
TRIALS = 3  # of a little sweep: 0 and 1 are COMPLETE, 2 FAILs


def _data() -> Dataset:
    """With a test split, and digests as files would have them."""
    data = in_memory(train=9, valid=20)

    def with_digests(split: Split) -> Split:
        return replace(split, digests=tuple(f"{number:064}" for number in range(len(split.ids))))

    test = replace(data.valid, ids=tuple(f"test{name}" for name in data.valid.ids), labels=None)
    train, valid, test = map(with_digests, (data.train, data.valid, test))
    return replace(data, train=train, valid=valid, test=test)


DATA = _data()


def train(config: TrialConfig, data: Dataset, state: TrainState) -> Iterator[EpochMetrics]:
    """Epochs that cost nothing, depend on (config, epoch) alone, and are measured as real ones are."""
    labels = data.valid.labels
    assert labels is not None
    while state.epochs_done < config.epochs:
        epoch = state.epochs_done + 1
        if config.lr > 0.5:
            raise Diverged(f"epoch {epoch}: lr={config.lr}")
        rng = np.random.default_rng([config.seed, epoch])
        right = rng.random(len(labels)) < 0.9 - 0.6 / epoch
        logits = rng.random((len(labels), 3)).astype(np.float32)
        logits[np.arange(len(labels)), np.where(right, labels, (labels + 1) % 3)] += 1
        measured = measure(labels, logits, state.metric)
        metrics = EpochMetrics(
            epoch, train_loss=1 / epoch, lr=config.lr, seconds=0.0, micro_batch=config.batch_size, **measured
        )
        state.add_epoch(metrics, logits)
        yield metrics


def go_on(folder: Path, trials: int = TRIALS, stop_at: tuple[int, int] = (-1, 0)) -> None:
    """Begins the sweep, or goes on with it, until all trials have ended.

    Args:
      stop_at: the trial and the epoch at which the driver is gone.
    """
    number, last = stop_at

    def train_until_then(config: TrialConfig, data: Dataset, state: TrainState) -> Iterator[EpochMetrics]:
        for metrics in train(config, data, state):
            yield metrics
            if number >= 0 and config.seed == trial_seed(SEED, number) and metrics.epoch == last:
                raise KeyboardInterrupt

    bridge, _ = open_bridge(folder, trials)
    (folder / "data.csv").write_bytes(data_table(DATA))
    save_array(folder / "valid_labels.npy", DATA.valid.labels)
    save_array(folder / "valid_images.npy", thumbnails(DATA.valid.images))
    with contextlib.suppress(KeyboardInterrupt):
        execute(bridge, DATA, train=train_until_then)


def make_results(folder: Path) -> None:
    """As a driver does at its end."""
    record = Record(folder)
    write_results(record, DATA)
    file = SweepFile.read(folder)
    file.results_of = sum(trial.state != "RUNNING" for trial in record.trials)
    file.write(folder)


def checked(folder: Path, must_repair: bool = False) -> tuple[int, str]:
    """Exit code and words of `python -m search.check`."""
    words = io.StringIO()
    with contextlib.redirect_stdout(words), contextlib.redirect_stderr(words):
        code = check(folder, must_repair)
    return code, words.getvalue()


def content(journal: Path) -> list[tuple[Any, ...]]:
    """What counts of each trial in a journal.

    Raises:
      JournalError: the journal is refused.
    """
    storage = optuna.storages.JournalStorage(Journal(journal))
    return _content(optuna.load_study(study_name=SWEEP_ID, storage=storage).get_trials(deepcopy=False))


def _content(trials: list[FrozenTrial]) -> list[tuple[Any, ...]]:
    """Without what only a driver needs, to know where it stands: all that a trial is, when it has ended."""
    attributes = [{name: t.user_attrs[name] for name in t.user_attrs.keys() - {"attempt", "passed"}} for t in trials]
    return [
        (t.number, t.state.name, t.values, t.intermediate_values, t.params, of_it)
        for t, of_it in zip(trials, attributes, strict=True)
    ]


def _end(folder: Path, trials: int) -> list[tuple[Any, ...]]:
    """What the journal says where the sweep goes on undamaged."""
    copy = folder.with_name("undamaged")
    shutil.copytree(folder, copy)
    go_on(copy, trials)
    return content(copy / "journal.log")


@dataclass
class Cuts:
    """What became of a journal cut at every byte.

    Attributes:
      amid: cut within a record, whose bytes were named and cut off.
      problems: where a record before the cut was lost, or the number of bytes was wrong.
    """

    places: int = 0
    amid: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


def cut_everywhere(folder: Path, every: int = 1) -> Cuts:
    """Cuts the journal of a new little sweep at each `every`-th byte, and opens what is left as a driver does."""
    go_on(folder)
    started, whole = time.monotonic(), (folder / "journal.log").read_bytes()
    lines = whole.splitlines(keepends=True)
    copy, cuts = folder / "cut.log", Cuts()
    for length in range(0, len(whole) + 1, every):
        copy.write_bytes(whole[:length])
        count = whole[:length].count(b"\n")
        kept = b"".join(lines[:count])
        if count < len(lines) and length == len(kept) + len(lines[count]) - 1:  # its end alone is cut off
            kept += lines[count]
        said = repair_tail(copy)
        cuts.places += 1
        cuts.amid += said > 0
        records = [parse(line) for line in kept.splitlines(keepends=True)]
        trials = len(content(copy)) if records else 0
        begun = sum(record is not None and record["op_code"] == CREATE_TRIAL for record in records)
        if copy.read_bytes() != kept or said != max(0, length - len(kept)) or trials != begun:
            cuts.problems.append(f"cut after {length} bytes: {said} bytes named, {len(kept)} kept, {trials} trials")
    copy.unlink()
    cuts.seconds = time.monotonic() - started
    return cuts


@dataclass
class Flips:
    """What became of a journal with one bit flipped.

    Attributes:
      kinds: `refused`, naming file and line; `cut`, as an unfinished last record, naming its bytes; `equal`.
      repaired: of those that were repaired as well, what `repaired` says.
      problems: other content without a word.
    """

    places: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    repaired: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


def flip_everywhere(folder: Path, every: int = 1, repair_every: int = 1) -> Flips:
    """Flips a bit in each `every`-th byte of a new little sweep's journal; repairs each `repair_every`-th of these."""
    go_on(folder)
    started, journal, flips = time.monotonic(), folder / "journal.log", Flips()
    whole, expected = journal.read_bytes(), content(journal)
    copy = folder / "flipped.log"
    for position in range(0, len(whole), every):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << position % 8
        copy.write_bytes(flipped)
        kind = _opened(copy, whole[:position].count(b"\n") + 1, expected)
        flips.kinds[kind] += 1
        if kind == "other":
            flips.problems.append(f"byte {position}: other content without a word")
        if flips.places % repair_every == 0:
            kind = repaired(folder, bytes(flipped), expected, expected)
            if ":" in kind:
                flips.problems.append(f"byte {position}, {kind}")
            else:
                flips.repaired[kind] += 1
        flips.places += 1
    copy.unlink()
    flips.seconds = time.monotonic() - started
    return flips


def _opened(copy: Path, line: int, expected: list[tuple[Any, ...]]) -> str:
    try:
        torn = repair_tail(copy)
        if content(copy) == expected:
            return "equal"
        return "cut" if torn else "other"
    except JournalError as error:
        return "refused" if str(error).startswith(f"{copy}:{line}:") else "other"


def repaired(folder: Path, damaged: bytes, expected: list[tuple[Any, ...]], end: list[tuple[Any, ...]]) -> str:
    """Repairs a copy of the sweep with another journal, and goes on with it to its end.

    Args:
      expected: what the journal said before it was damaged.
      end: what it says where the sweep, undamaged, went on to its end.

    Returns:
      `equal` to what was expected; `equal at its end`, where the folder alone brings back what the journal lacked;
      `loss named`; or, with a colon, what is wrong.
    """
    copy = folder.with_name("repaired")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    (copy / "journal.log").write_bytes(damaged)
    code, words = checked(copy, must_repair=True)
    if code:
        return f"not repaired: {words}"
    if (again := checked(copy))[0]:
        return f"not whole after its repair: {again[1]}"
    is_equal = content(copy / "journal.log") == expected
    go_on(copy, len(end))
    after = content(copy / "journal.log")
    if (again := checked(copy))[0] or len(after) != len(end) or any(state == "RUNNING" for _, state, *_ in after):
        return f"it does not end as a sweep does: {again[1]}"
    if is_equal or after == end:
        return "equal" if is_equal else "equal at its end"
    return "loss named" if "; lost: " in words else f"other content without a word: {words}"


@dataclass
class Losses:
    """What became of a journal of which a stretch was overwritten, or of which one line, or all from one on, is gone.

    Attributes:
      kinds: by how it was damaged, and what `repaired` says.
      problems: what could not be repaired, or was other without a word.
    """

    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


def lose_everywhere(
    folder: Path, every: int = 1, trials: int = TRIALS + 1, stop_at: tuple[int, int] = (-1, 0)
) -> Losses:
    """Damages a new little sweep's journal at each `every`-th record, in three ways, and repairs it.

    Args:
      trials, stop_at: as of `go_on`; trial 3 is PRUNED.
    """
    go_on(folder, trials, stop_at)
    started, journal, losses = time.monotonic(), folder / "journal.log", Losses()
    lines, expected, end = journal.read_bytes().splitlines(keepends=True), content(journal), _end(folder, trials)
    for line in range(0, len(lines), every):
        ways = {
            "overwritten": b"".join([*lines[:line], b"\0" * len(lines[line]), *lines[line + 1 :]]),
            "line gone": b"".join(lines[:line] + lines[line + 1 :]),
            "cut": b"".join(lines[:line]),
        }
        for way, damaged in ways.items():
            kind = repaired(folder, damaged, expected, end)
            if ":" in kind:
                losses.problems.append(f"line {line + 1} {way}, {kind}")
            else:
                losses.kinds[way, kind] += 1
    losses.seconds = time.monotonic() - started
    return losses


def rows(folder: Path) -> Iterator[tuple[str, str, str, float, bool]]:
    """All of it, for `make reliability`: what was done, how it must end, how it ended, seconds, whether that is so."""
    cuts = cut_everywhere(folder / "cut" / "sweep")
    found = f"{cuts.places:,} places, {cuts.amid:,} of them amid a record: {len(cuts.problems)} lost more"
    must = "every whole record stays, and the bytes of an unfinished one are named"
    yield "cut after each byte", must, found + _first(cuts.problems), cuts.seconds, not cuts.problems
    flips = flip_everywhere(folder / "flipped" / "sweep", repair_every=REPAIRED_FLIPS)
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(flips.kinds.items()))
    repaired = ", ".join(f"{count:,} {kind}" for kind, count in sorted(flips.repaired.items()))
    found = f"{flips.places:,} places: {kinds}; repaired: {repaired}; {len(flips.problems)} other without a word"
    must = "refused with file and line; repaired, the trial is restored or trained again, or its loss named"
    yield "one bit flipped in each byte", must, found + _first(flips.problems), flips.seconds, not flips.problems
    for what, stop_at in (("an ended", (-1, 0)), ("an interrupted", (1, 5))):
        losses = lose_everywhere(folder / what / "sweep", stop_at=stop_at)
        count: Counter[str] = Counter()
        for (_, kind), times in losses.kinds.items():
            count[kind] += times
        kinds = ", ".join(f"{times} {kind}" for kind, times in sorted(count.items()))
        found = f"{sum(count.values())} repaired, each then run to its end: {kinds}; {len(losses.problems)} not"
        must = "restored from the trials' folders, trained again, or the loss named; the sweep goes on"
        what = f"{what} sweep's journal with each record overwritten, gone, or the last"
        yield what, must, found + _first(losses.problems), losses.seconds, not losses.problems


def _first(problems: list[str]) -> str:
    return f"; the first: {' '.join(problems[0].split())}" if problems else ""
