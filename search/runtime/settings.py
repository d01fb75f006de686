"""`sweep.json`: what a sweep is, fixed at its start, and what happened to it since."""

import json
import subprocess
import time
import uuid
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from datasets import decoders, listing_rules
from search import pruners, samplers, spaces
from storage.bucket import address_of
from storage.data_place import to_place, to_record
from storage.files import read_json, written_whole
from trainable.config import ConfigError

VERSIONS = ("ray", "optuna", "torch", "torchvision", "albumentations", "opencv-python-headless", "numpy")

NEWEST_DEFAULTS = {
    "space": spaces.NEWEST,
    "sampler": samplers.NEWEST,
    "pruner": pruners.NEWEST,
    "decoder": decoders.NEWEST,
    "listing": listing_rules.NEWEST,
}
FIRST_DEFAULTS = dict.fromkeys(NEWEST_DEFAULTS, 1)  # of the sweeps before the numbers were written down

# What decides the results, with the data and the space, which are known by fingerprint and table wherever they lie;
# a sweep that goes on may not change it.
FIXED = (
    "fixed",
    "max_epochs",
    "metric",
    "seed",
    "sampler",
    "pruner",
    "baselines",
    "image_size",
    "limit_train",
    "limit_valid",
)


@dataclass
class Settings:
    """What the user asked for; the flags of `search.run` in their order. Of a repeat or a refit those of its search.

    Attributes:
      data: the absolute path of a folder or .zip.
      space: FILE.py:FUNCTION with an absolute path; None for the default space.
    """

    data: str
    trials: int
    max_epochs: int
    seed: int
    metric: str
    image_size: int | None
    limit_train: int | None
    limit_valid: int | None
    space: str | None
    fixed: dict[str, Any]
    baselines: str  # auto, published or none
    sampler: str
    pruner: str
    ledger: str = ""  # URL of a PostgreSQL database, without password; empty for the journal in the folder


@dataclass
class SweepFile:
    """The content of `sweep.json`.

    Attributes:
      table: of the space, `search.spaces.space.Space.table`; empty where no config is drawn.
      queue: configs that are run before the sampler is asked, by trial number.
      starts: `{"time", "command", "folder", "stopped", "versions", "commit"}` of each driver: where the sweep lay then,
        and as `stopped` how it ended.
      results_of: the number of ended trials that report, best model and predictions are made of.
      defaults: the number of each published default that the sweep goes on under: of the default space, the sampler,
        the pruner, the decoder of images and the rules by which their files are listed.
      memory: what a trial may take, `search.runtime.memory.Limit.to_dict`, as it was where the sweep began;
        empty for no limit.
      kind: `search`, or `repeat` or `refit` of one, in a folder within its own.
      parent: of these two the id of the search as `sweep`; of a refit the number of its trial as `best trial`.
    """

    settings: Settings
    table: dict[str, dict[str, Any]]
    fingerprint: str
    classes: list[str]
    image_size: list[int]
    queue: dict[int, dict[str, Any]]
    notes: list[str]
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    versions: dict[str, str] = field(default_factory=lambda: current_versions())
    commit: str = field(default_factory=lambda: code_commit())
    starts: list[dict[str, Any]] = field(default_factory=list)
    results_of: int = 0
    defaults: dict[str, int] = field(default_factory=lambda: dict(NEWEST_DEFAULTS))
    memory: dict[str, Any] = field(default_factory=dict)
    kind: str = "search"
    parent: dict[str, Any] = field(default_factory=dict)

    def started(self, command: str, folder: Path) -> None:
        """Notes a driver's start; versions and commit of the newest one are the sweep's."""
        self.versions, self.commit = current_versions(), code_commit()
        about = {"versions": self.versions, "commit": self.commit}
        about |= {"command": command, "folder": address_of(folder.resolve()), "stopped": ""}
        self.starts.append({"time": time.strftime("%Y-%m-%d %H:%M:%S")} | about)

    def write(self, folder: Path) -> None:
        settings = asdict(self.settings)
        data_options = {name: settings.pop(name) for name in ("image_size", "limit_train", "limit_valid")}
        settings["data"] = to_record(folder, self.kind, self.settings.data)
        content = asdict(self)
        del content["settings"]
        content = settings | {"data_options": data_options} | content
        with written_whole(folder / "sweep.json") as partial:
            partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    @staticmethod
    def read(folder: Path) -> "SweepFile":
        """Raises:
        ConfigError: the file is damaged, or a newer version began the sweep.
        """
        path = folder / "sweep.json"
        try:
            content = read_json(path)
            options = content.pop("data_options")
            names = Settings.__dataclass_fields__
            settings = {name: content.pop(name) for name in names if name not in options} | options
            if isinstance(settings["baselines"], bool):  # as it was before there was a choice
                settings["baselines"] = "published" if settings["baselines"] else "none"
            content["defaults"] = FIRST_DEFAULTS | content.get("defaults", {})
            settings["data"] = to_place(folder, content.get("kind", "search"), settings["data"])
            content["queue"] = {int(number): entry for number, entry in content["queue"].items()}
            file = SweepFile(settings=Settings(**settings), **content)
            defaults = {name: int(file.defaults[name]) for name in NEWEST_DEFAULTS}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ConfigError(f"{path}: damaged ({error}); restore it from a backup, or start another sweep") from error
        for name, newest in NEWEST_DEFAULTS.items():
            if not 1 <= defaults[name] <= newest:
                raise ConfigError(
                    f"{path}: begun by a newer version: its {name} has the number {defaults[name]}, this version knows "
                    f"1 to {newest}; go on with the version that began it"
                )
        return file


def differences(before: Settings, after: Settings) -> list[str]:
    """What may not change and did, a line each."""
    old, new = asdict(before), asdict(after)
    return [f"{name}: was {old[name]}, now {new[name]}" for name in FIXED if old[name] != new[name]]


def table_differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """How the space changed, a line each."""
    lines = []
    for part in sorted(before.keys() | after.keys()):
        old, new = before.get(part, {}), after.get(part, {})
        lines += [
            f"space, {part}, {name}: was {old.get(name)}, now {new.get(name)}"
            for name in sorted(old.keys() | new.keys())
            if old.get(name) != new.get(name)
        ]
    return lines


def current_versions() -> dict[str, str]:
    return {name: version(name) for name in VERSIONS}


def version_differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return [f"{name} {before.get(name, 'none')} -> {after[name]}" for name in after if before.get(name) != after[name]]


def code_commit() -> str:
    """The commit of this code, with `+` where files differ from it; empty outside a checkout."""
    folder = Path(__file__).resolve().parent

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=folder, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        commit = git("rev-parse", "--short", "HEAD")
        return commit + ("+" if commit and git("status", "--porcelain", "--untracked-files=no") else "")
    except OSError:  # no git on this machine
        return ""
