"""`sweep.json`: the settings of a sweep, which are fixed at its start, and what happened to the sweep since then.

This module imports nothing heavy.
"""

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
PORTFOLIOS = (  # one for each file in `search/portfolios/`
    "published",
)
BASELINES = ("auto", *PORTFOLIOS, "none")
FITS = ("crop", "pad", "stretch")
RENAMED_METRICS = {"loss": "log_loss"}  # name in older sweeps and commands: name now
MOST_FOLDS = 20
BAD, NEAR_DUPLICATES = LEAVE_OUT = ("bad", "near-duplicates")  # what `--leave-out` may name
FORMS = ("array", "mapped", "jpeg")  # in which pixels are kept, see `datasets.pixels.form`

NO_RESULTS = -1  # a `results_of` that no number of trials equals, so the next start makes the results
Values = dict[str, Any]  # the values of hyperparameters, by name
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
    """The options that say how the data of a sweep is read, one for each flag of the command.

    An option that is None is chosen from what the data is; a limit that is None means all images.

    Attributes:
      image_size: the side in px to which every image is resized.
      limit_train, limit_valid: the number of images of the split that are used.
      fit: how an image becomes a square; None does what the decoding recipe of the sweep does.
      id_column, label_column, group_column, split_column: the headers of these columns in the tables that list the
        images.
      labels_separator: the text between the labels of one image.
      images: the folder in the data that holds the images that the tables list.
      train, valid, test: the table or folder in the data that is this split.
      label_pattern: a regular expression whose first group is the label in the name of a file.
      leave_out: which images are left out (and listed), from `LEAVE_OUT`: one name, or both with a comma between.
      min_per_class: classes with fewer train images than this are left out.
      cache_limit: the number of bytes of pixels above which the pixels are kept as JPEG.
      folds: the number of parts into which the labelled images are divided; each part is judged by a net that was
        trained on the others. None trains one net on the train split and judges it by the validation split.
      submission: the path of a sample of the file to hand in, or its name in the data.
      positive_class: the one of two classes whose probability is handed in.
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

    def leaves_out(self, kind: str) -> bool:
        """Returns whether images of this kind, one of `LEAVE_OUT`, are left out."""
        return kind in (self.leave_out or "").split(",")

    def leaving_out(self, kind: str) -> "DataOptions":
        """Returns the same options, except that images of this kind, one of `LEAVE_OUT`, are left out too."""
        return replace(self, leave_out=",".join(each for each in LEAVE_OUT if each == kind or self.leaves_out(each)))


@dataclass
class Settings:
    """The settings that the user asked for when the sweep began; a repeat or a refit has those of its search.

    Attributes:
      data: the absolute path of a folder, an archive or another file that holds images.
      space: the name of a published space, or FILE.py:FUNCTION with an absolute path. None before the start means
        that the data decides; None in a sweep that has begun means the default space.
      ledger: the URL of a PostgreSQL database, without password; empty for the journal in the folder.
      backbones: the pretrained nets for which the space is made. None before the start means those whose weights this
        machine has; None in a sweep that has begun means no nets.
      like: the paths or addresses of earlier sweeps whose best configs are run first; None for no such sweeps.
      budget_epochs: once all trials together were trained for this many epochs, no further trial is drawn; None for
        no limit.
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
        """The number of nets that a trial trains, one for each fold; None in a sweep without folds."""
        return self.data_options.folds

    def steps(self, epochs: int) -> int:
        """Returns the number of values that a whole trial reports to the study: one a fold, or without folds an epoch.

        Args:
          epochs: how many epochs the trial trains.
        """
        return self.folds or epochs

    def trials_wanted(self, drawn: int, epochs: int) -> int:
        """Returns how many trials the sweep shall have; with a budget that is not spent yet, the most it may have.

        Args:
          drawn: how many trials there are so far.
          epochs: how many epochs all trials together were trained.
        """
        is_spent = self.budget_epochs is not None and epochs >= self.budget_epochs
        return drawn if is_spent else max(drawn, self.trials)


@dataclass(frozen=True)
class QueueEntry:
    """A config that is run before the sampler is asked for any.

    Attributes:
      params: the values of the space's parameters.
      baseline: the name of a published run or of a family's reference config; empty for any other config.
      config: the whole config, where `params` cannot express it: in a repeat or a refit, and for a published run that
        lies outside the space.
      trial: in a repeat or a refit, the number (in the search) of the trial that is trained again.
      value: in a repeat or a refit, the value of that trial.
      nth_seed: in a repeat or a refit, which of the other seeds is used, from 1.
      like: which trial of which earlier sweep this config was taken from, in words.
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
      time: when the driver started, in local time.
      folder: where the sweep lay at that time; None if it was started by a version that did not record it.
      stopped: how the driver ended; empty while it runs, and for ever if it was killed.
    """

    time: Time
    versions: dict[str, str] = field(default_factory=dict)
    commit: str = ""
    command: str = ""
    folder: str | None = None
    stopped: str = ""


@dataclass(frozen=True)
class Defaults:
    """The number of each published default that the sweep began with and keeps.

    Every field is 1 for a sweep that is older than these numbers.

    Attributes:
      decoder: the recipe by which images are decoded.
      listing: the rules that say which files of the data count and how they are named.
      ensemble: the way in which the members of an ensemble are chosen and averaged.
    """

    space: int = 1
    sampler: int = 1
    pruner: int = 1
    decoder: int = 1
    listing: int = 1
    ensemble: int = 1


@dataclass(frozen=True)
class Memory:
    """The memory that a trial may use, measured on the machine where the sweep began; 0 for no limit.

    Attributes:
      worker: bytes of a worker's memory.
      gpu: bytes of a GPU's memory.
      on_gpu: whether trials train on a GPU.
    """

    worker: int
    gpu: int
    on_gpu: bool


@dataclass(frozen=True)
class Pace:
    """The time that a drawn trial may take without a GPU, decided on the machine where the sweep began.

    Attributes:
      seconds: the limit of the estimated time, for one CPU thread.
      images: the number of images of an epoch, on which the estimate rests.
    """

    seconds: float
    images: int


@dataclass(frozen=True)
class Parent:
    """The search that a repeat or a refit belongs to.

    Attributes:
      sweep: the id of the search.
      best_trial: for a refit, the number of the search's best trial.
    """

    sweep: str
    best_trial: int | None = named("best trial")


@dataclass(frozen=True)
class WeightsEntry:
    """The weights of a pretrained net that trials begin with.

    Attributes:
      source: where they came from, in words for people.
      sha256: the digest of the file as its library serves it.
      licence: the licence as the library records it.
      file: the name of the file, without folders.
    """

    source: str
    sha256: Annotated[str, Rule("64 hexadecimal digits", lambda text: bool(re.fullmatch("[0-9a-f]{64}", text)))]
    licence: str
    file: str


@dataclass
class SweepFile:
    """The content of `sweep.json`.

    Attributes:
      table: the table of the space (`search.spaces.space.Space.table`); empty where no config is drawn.
      fingerprint: the digest of the data, by which changed data is recognised.
      image_size: height and width in px.
      queue: the configs that are run before the sampler is asked, by the numbers of their trials.
      notes: what a person was told at the start about the choices that were made.
      versions, commit: the versions of the packages and the commit of this code at the newest start.
      results_of: how many trials had ended when the report, the best model and the predictions were made.
      memory: how many bytes a trial may use; None for no limit.
      kind: `search`, or `repeat` or `refit`, whose folder lies in the folder of its search.
      parent: the search that this repeat or refit belongs to; None for a search.
      own: the models, metrics and transforms that are in files of the user's, each with the sha256 of its file.
      pixels: the form in which the pixels are kept; None in sweeps by versions that knew only one form.
      pace: how long a trial may take without a GPU; None for no limit.
      weights: the weights of pretrained nets that trials begin with, by the names of the nets; None for no such nets.
      imbalance: the number of the addition to the space for unequal classes (`search.spaces.imbalance`); None where
        the space has no such addition.
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
        """Adds the start of a driver to `starts`; nothing is written to disk.

        Args:
          command: the command as the user typed it.
          folder: the folder of the sweep.
        """
        self.versions, self.commit = current_versions(), code_commit()
        now, place = time.strftime("%Y-%m-%d %H:%M:%S"), f"{folder.resolve()}"
        self.starts.append(StartEntry(now, self.versions, self.commit, command, place))

    def holder(self, folder: Path) -> str:
        """Returns which process drives the sweep, on this or another machine; empty if none does."""
        if (file_holder := lock.holder(folder)) or not self.settings.ledger:
            return file_holder
        from sweep.storage import postgres

        return postgres.holder(self.settings.ledger, postgres.lock_of(folder, self.id))

    def write(self, folder: Path) -> None:
        """Writes `sweep.json` into the folder, whole or not at all."""
        content = to_json(self)
        settings = content.pop("settings")  # in the file, the settings are fields of the same object
        options = settings["data_options"]
        if sample := options.get("submission"):
            settings["data_options"] = options | {"submission": paths.sample_to_record(folder, self.kind, sample)}
        content = settings | {"data": paths.to_record(folder, self.kind, settings["data"])} | content
        save_bytes(folder / paths.SWEEP_FILE, (json.dumps(content, indent=1) + "\n").encode())

    @staticmethod
    def read(folder: Path) -> "SweepFile":
        """Reads and checks the `sweep.json` of a folder.

        Raises:
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
            if isinstance(content.get("baselines"), bool):  # older versions had only on or off
                content["baselines"] = "published" if content["baselines"] else "none"
            if isinstance(content.get("metric"), str):
                content["metric"] = RENAMED_METRICS.get(content["metric"], content["metric"])
            names = [each.name for each in fields(Settings) if each.name in content]
            settings = parsed(Settings, {name: content.pop(name) for name in names})
            file: SweepFile = parsed(SweepFile, content | {"settings": settings})
        except ValueError as error:
            raise DamagedError(path, str(error), "restore it from a backup") from None
        user_code.check(file.own)
        settings.data = paths.to_place(folder, file.kind, settings.data)
        if sample := settings.data_options.submission:
            place = paths.sample_to_place(folder, file.kind, sample)
            settings.data_options = replace(settings.data_options, submission=place)
        return file
