"""`sweep.json`: what a sweep is, fixed at its start, and what happened to it since. Imports nothing heavy."""

import json
import re
import time
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from sweep.storage import lock, paths, user_code
from sweep.storage.errors import SweepError
from sweep.storage.files import DamagedError, read_json, save_bytes
from sweep.storage.schema import Rule, named, parsed, to_json
from sweep.storage.versions import code_commit, current_versions

SEARCH = "search"
KINDS = (SEARCH, paths.REPEAT, paths.REFIT)
PORTFOLIOS = (  # of `search/portfolios/`
    "published",
)
BASELINES = ("auto", *PORTFOLIOS, "none")
FITS = ("crop", "pad", "stretch")
RENAMED_METRICS = {"loss": "log_loss"}  # the name now, by that which older sweeps and commands have
MOST_FOLDS = 20
BAD, NEAR_DUPLICATES = LEAVE_OUT = ("bad", "near-duplicates")  # what `--leave-out` may name
FORMS = ("array", "mapped", "jpeg")  # of pixels, see `datasets.pixels.form`

NO_RESULTS = -1  # as `results_of`: no number of trials, so the next start makes them
Values = dict[str, Any]  # of hyperparameters, by name
Table = dict[str, Values]


def _is_time(text: str) -> bool:
    try:
        return bool(datetime.fromisoformat(text))
    except ValueError:
        return False


def _is_leave_out(text: str) -> bool:
    names = text.split(",")
    return names == [name for name in LEAVE_OUT if name in names]


Above0 = Annotated[int, Rule("a whole number above 0", lambda number: number > 0)]
AtLeast0 = Annotated[int, Rule("a whole number of at least 0", lambda number: number >= 0)]
Time = Annotated[str, Rule("a date and a time, YYYY-MM-DD HH:MM:SS", _is_time)]
Classes = Annotated[list[str], Rule("a list of different names", lambda names: 0 < len(names) == len(set(names)))]
Folds = Annotated[int, Rule(f"a whole number from 2 to {MOST_FOLDS}", lambda folds: 2 <= folds <= MOST_FOLDS)]
Fit = Annotated[str, Rule(f"one of {', '.join(FITS)}", FITS.__contains__)]
Form = Annotated[str, Rule(f"one of {', '.join(FORMS)}", FORMS.__contains__)]
LeaveOut = Annotated[str, Rule(f"{', '.join(LEAVE_OUT)}, or both with a comma between", _is_leave_out)]
Size = Annotated[list[int], Rule("height and width, each above 0", lambda size: len(size) == 2 and min(size) > 0)]


@dataclass(frozen=True)
class DataOptions:
    """How the data is read; None leaves a choice to the data, and of the limits means all images.

    Attributes:
      image_size: side in px that every image is resized to.
      limit_train, limit_valid: so many images of the split.
      fit: how an image becomes a square; None is what its decoding recipe does.
      id_column, label_column, group_column, split_column: of the tables that list the images, by their headers.
      labels_separator: stands between the labels of an image.
      images: the folder in the data that the tables' images lie in.
      train, valid, test: the table or folder in the data that is the split.
      label_pattern: a regular expression whose first group is the label in the name of a file.
      leave_out: which images are left out and named, of `LEAVE_OUT`: one name, or both with a comma between.
      min_per_class: classes with fewer train images are left out.
      cache_limit: bytes of pixels above which they are kept as JPEG.
      folds: so many parts of the labelled images, each judged by a net that was trained on the others; None trains one
        net on the train split and judges it by the validation split.
      submission: the path of a sample of what is handed in, or its name in the data.
      positive_class: of two classes the one whose probability is handed in.
    """

    image_size: Above0 | None = None
    limit_train: Above0 | None = None
    limit_valid: Above0 | None = None
    fit: Fit | None = None
    id_column: str | None = None
    label_column: str | None = None
    labels_separator: str | None = None
    group_column: str | None = None
    split_column: str | None = None
    images: str | None = None
    train: str | None = None
    valid: str | None = None
    test: str | None = None
    label_pattern: str | None = None
    leave_out: LeaveOut | None = None
    min_per_class: Above0 | None = None
    cache_limit: AtLeast0 | None = None
    folds: Folds | None = None
    submission: str | None = None
    positive_class: str | None = None

    def leaves_out(self, what: str) -> bool:
        """Says whether one of `LEAVE_OUT` is left out."""
        return what in (self.leave_out or "").split(",")

    def leaving_out(self, what: str) -> "DataOptions":
        """Returns the same options, which leave this out too."""
        return replace(self, leave_out=",".join(each for each in LEAVE_OUT if each == what or self.leaves_out(each)))


@dataclass
class Settings:
    """What the user asked for. Of a repeat or a refit those of its search.

    Attributes:
      data: the absolute path of a folder, an archive or another file that holds images.
      space: the name of a published space, or FILE.py:FUNCTION with an absolute path; None leaves it to the data, and
        of a sweep that has begun it is the default space.
      ledger: URL of a PostgreSQL database, without password; empty for the journal in the folder.
      backbones: the pretrained nets that the space is made for; None leaves them to what is at hand, and of a sweep
        that has begun there are none.
      like: the places of earlier sweeps whose best configs come first; None for none.
      budget_epochs: no trial is drawn once all of them together were trained so long; None for no limit.
    """

    data: str
    trials: Above0
    max_epochs: int
    seed: AtLeast0
    metric: str
    space: str | None
    fixed: Values
    baselines: Annotated[str, Rule(f"one of {', '.join(BASELINES)}", BASELINES.__contains__)]
    sampler: str
    pruner: str
    ledger: str
    data_options: DataOptions = DataOptions()
    backbones: list[str] | None = None
    like: list[str] | None = None
    budget_epochs: Above0 | None = None

    @property
    def folds(self) -> int | None:
        """How many nets a trial has, one for each fold of the images; None where it has one alone."""
        return self.data_options.folds

    def steps(self, epochs: int) -> int:
        """Returns the steps that a whole trial is told by: its epochs, or its folds."""
        return self.folds or epochs

    def wanted(self, drawn: int, epochs: int) -> int:
        """Returns how many trials there are to be; of a budget that is not spent, at most so many.

        Args:
          drawn: so many there are.
          epochs: so many were trained, of all trials together.
        """
        is_spent = self.budget_epochs is not None and epochs >= self.budget_epochs
        return drawn if is_spent else max(drawn, self.trials)


@dataclass(frozen=True)
class QueueEntry:
    """A config that is run before the sampler is asked.

    Attributes:
      baseline: the name of a published run or of a family's reference config; empty for any other.
      config: the whole of it: of a repeat or a refit, the others are of these two alone; and of a published run that is
        no point of the space.
      trial: the number in the search of the trial that is trained again.
      value: of that trial.
      nth_seed: under which of the other seeds, from 1.
      like: which trial of which earlier sweep it is like.
    """

    params: Values
    baseline: str = ""
    config: Values | None = None
    trial: AtLeast0 | None = None
    value: float | None = None
    nth_seed: Above0 | None = None
    like: str | None = None


@dataclass
class StartEntry:
    """One start of a driver.

    Attributes:
      folder: where the sweep lay then; None of starts by versions that did not write it down.
      stopped: how it ended; empty while it runs, and where it was killed.
    """

    time: Time
    versions: dict[str, str] = field(default_factory=dict)
    commit: str = ""
    command: str = ""
    folder: str | None = None
    stopped: str = ""


@dataclass(frozen=True)
class Defaults:
    """The number of each published default that a sweep goes on under; 1 of sweeps before the numbers were written.

    Attributes:
      decoder: of images.
      listing: the rules by which the files of the data count and are named.
      ensemble: how the members of an ensemble are chosen and averaged.
    """

    space: int = 1
    sampler: int = 1
    pruner: int = 1
    decoder: int = 1
    listing: int = 1
    ensemble: int = 1


@dataclass(frozen=True)
class Memory:
    """The bytes that a trial may take of a worker and of a GPU, as it was where the sweep began; 0 for no limit."""

    worker: int
    gpu: int
    on_gpu: bool


@dataclass(frozen=True)
class Pace:
    """How long a drawn trial may take without a GPU, as it was where the sweep began.

    Attributes:
      seconds: of one CPU thread, estimated.
      images: of an epoch.
    """

    seconds: float
    images: int


@dataclass(frozen=True)
class Parent:
    """The search that a repeat or a refit is of: its id, and of a refit the number of its best trial."""

    sweep: str
    best_trial: int | None = named("best trial")


@dataclass(frozen=True)
class WeightsEntry:
    """Weights of a pretrained net that trials begin with.

    Attributes:
      source: where they came from, in words for people.
      sha256: of the file as its library serves it.
      licence: as the library records it.
      file: its name, without folders.
    """

    source: str
    sha256: Annotated[str, Rule("64 hexadecimal digits", lambda text: bool(re.fullmatch("[0-9a-f]{64}", text)))]
    licence: str
    file: str


@dataclass
class SweepFile:
    """The content of `sweep.json`.

    Attributes:
      table: of the space, `search.spaces.space.Space.table`; empty where no config is drawn.
      image_size: height and width.
      queue: by trial number.
      versions, commit: of the newest start.
      results_of: the number of ended trials that report, best model and predictions are made of.
      memory: None for no limit.
      pace: None for no limit.
      kind: `search`, or `repeat` or `refit` of one, in a folder within its own.
      parent: None of a search.
      own: the models, metrics and transforms in files of the user's, each with the sha256 of its file.
      pixels: the form in which the pixels are kept; None of sweeps by versions that had one alone.
      weights: of the pretrained nets that trials begin with, by the nets' names; None where none does.
      imbalance: the number of what is searched beside the space because the classes are unequal; None where nothing is.
    """

    settings: Settings
    table: Table
    fingerprint: str
    classes: Classes
    image_size: Size
    queue: dict[int, QueueEntry]
    notes: list[str]
    id: str
    versions: dict[str, str] = field(default_factory=dict)
    commit: str = ""
    starts: list[StartEntry] = field(default_factory=list)
    results_of: int = 0
    defaults: Defaults = Defaults()
    memory: Memory | None = None
    kind: Annotated[str, Rule(f"one of {', '.join(KINDS)}", KINDS.__contains__)] = SEARCH
    parent: Parent | None = None
    own: dict[str, str] = field(default_factory=dict)
    pixels: Form | None = None
    pace: Pace | None = None
    weights: dict[str, WeightsEntry] | None = None
    imbalance: Above0 | None = None

    def started(self, command: str, folder: Path) -> None:
        """Notes a driver's start."""
        self.versions, self.commit = current_versions(), code_commit()
        now, place = time.strftime("%Y-%m-%d %H:%M:%S"), f"{folder.resolve()}"
        self.starts.append(StartEntry(now, self.versions, self.commit, command, place))

    def holder(self, folder: Path) -> str:
        """Returns who drives the sweep, on whichever machine; empty where nobody does."""
        if (of_folder := lock.holder(folder)) or not self.settings.ledger:
            return of_folder
        from sweep.storage import postgres

        return postgres.holder(self.settings.ledger, postgres.lock_of(folder, self.id))

    def write(self, folder: Path) -> None:
        content = to_json(self)
        settings = content.pop("settings")  # its fields stand among the others
        options = settings["data_options"]
        if sample := options.get("submission"):
            settings["data_options"] = options | {"submission": paths.sample_to_record(folder, self.kind, sample)}
        content = settings | {"data": paths.to_record(folder, self.kind, settings["data"])} | content
        save_bytes(folder / paths.SWEEP_FILE, (json.dumps(content, indent=1) + "\n").encode())

    @staticmethod
    def read(folder: Path) -> "SweepFile":
        """Raises:
        SweepError: the folder holds no sweep.
        DamagedError: the file is damaged; the message names the field, the rule and the value.
        UserError: a file of the user's that a command named is not the one that the sweep began with.
        """
        path = folder / paths.SWEEP_FILE
        try:
            content = read_json(path)
        except FileNotFoundError:
            raise SweepError(f"{folder}: holds no sweep (no sweep.json); start one with --sweep {folder}") from None
        try:
            content = parsed(Values, content)
            if isinstance(content.get("baselines"), bool):  # as it was before there was a choice
                content["baselines"] = "published" if content["baselines"] else "none"
            if isinstance(content.get("metric"), str):
                content["metric"] = RENAMED_METRICS.get(content["metric"], content["metric"])
            of_settings = [each.name for each in fields(Settings) if each.name in content]
            settings = parsed(Settings, {name: content.pop(name) for name in of_settings})
            file: SweepFile = parsed(SweepFile, content | {"settings": settings})
        except ValueError as error:
            raise DamagedError(path, str(error), "restore it from a backup") from None
        user_code.check(file.own)
        settings.data = paths.to_place(folder, file.kind, settings.data)
        if sample := settings.data_options.submission:
            place = paths.sample_to_place(folder, file.kind, sample)
            settings.data_options = replace(settings.data_options, submission=place)
        return file
