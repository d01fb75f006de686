"""Search hyperparameters for an image classifier, on this machine or a Ray cluster.

python -m search.run --trials 50        # the same command continues after a crash or Ctrl-C
python -m search.run --trials 80        # 30 more on top
"""

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from search.settings import Settings, SweepFile
from search.space import read_fixed
from search.sweep import DEMO, Start, begin, resume
from trainable.config import ConfigError

CANNOT_WRITE = 4
HELD = 75


class Duration(click.ParamType):
    """`90s`, `30m`, `2h`, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        units = {"s": 1, "m": 60, "h": 3600}
        try:
            seconds = float(value[:-1]) * units[value[-1:]]
        except (ValueError, KeyError):
            self.fail(f"must be a number with s, m or h (30m), got {value!r}", param, ctx)
        if not seconds > 0:
            self.fail(f"must be above zero, got {value!r}", param, ctx)
        return seconds


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--data", type=str, default=None, help="Folder or .zip; default data/, else generated demo images.")
@click.option("--sweep", type=click.Path(path_type=Path), default=None, help="Its folder; default sweeps/default.")
@click.option("--trials", type=click.IntRange(min=1), default=50, show_default=True, help="Of the sweep in total.")
@click.option("--max-epochs", type=click.IntRange(min=1), default=30, show_default=True, help="Of any trial.")
@click.option("--time-budget", type=Duration(), default=None, help="Of this start: 90s, 30m, 2h.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--resume", "must_exist", is_flag=True, help="The sweep must exist already.")
@click.option("--image-size", type=click.IntRange(min=1), default=None, help="Side in px that images are resized to.")
@click.option(
    "--limit-train", type=click.IntRange(min=1), default=None, help="Only so many train images: a quick look."
)
@click.option("--limit-valid", type=click.IntRange(min=1), default=None, help="Only so many validation images.")
@click.option("--metric", type=click.Choice(["accuracy", "balanced_accuracy", "loss"]), default="accuracy")
@click.option("--space", type=str, default=None, help="FILE.py:FUNCTION, your own search space.")
@click.option("--fix", type=str, multiple=True, metavar="NAME=VALUE", help="Takes a hyperparameter out of the search.")
@click.option("--enqueue", type=click.Path(path_type=Path), default=None, help="JSON list of configs to run first.")
@click.option("--no-baselines", is_flag=True, help="Leaves the published runs out.")
@click.option("--sampler", type=click.Choice(["tpe", "gp", "random"]), default="tpe")
@click.option("--pruner", type=click.Choice(["halving", "median", "none"]), default="halving")
@click.option("--address", type=str, default=None, help="Of a running Ray cluster: auto or HOST:PORT.")
@click.option(
    "--concurrency", type=click.IntRange(min=1), default=None, help="Trials at a time; default: as many as fit."
)
@click.option("--cpus-per-trial", type=click.FloatRange(min=0, min_open=True), default=None)
@click.option("--gpus-per-trial", type=click.FloatRange(min=0), default=None)
@click.option("--memory-per-trial", type=click.IntRange(min=1), default=None, help="In bytes.")
@click.option(
    "--attempts", type=click.IntRange(min=1), default=3, show_default=True, help="Per trial, for lost workers."
)
@click.option("--max-failures", type=click.IntRange(min=1), default=10, show_default=True, help="In a row: stops.")
@click.pass_context
def main(context: click.Context, **flags: Any) -> None:
    """Search hyperparameters for an image classifier; the same command goes on after any interruption."""
    sys.exit(_main(context, flags))


def _main(context: click.Context, flags: dict[str, Any]) -> int:
    from analysis.journal import JournalError
    from analysis.record import SweepError
    from datasets.manifest import DataError
    from search.ledger import HeldError

    try:
        return _start(context, flags)
    except (ConfigError, DataError, JournalError, SweepError) as error:
        print(error, file=sys.stderr)
        return 2
    except HeldError as error:
        print(error, file=sys.stderr)
        return HELD
    except OSError as error:
        print(
            f"the storage failed: {error}; nothing that was recorded is lost: mend it, then run the same command again",
            file=sys.stderr,
        )
        return CANNOT_WRITE
    except KeyboardInterrupt:
        print("Stopped; run the same command again to go on.", file=sys.stderr)
        return 130


def _start(context: click.Context, flags: dict[str, Any]) -> int:
    given = {
        name
        for name in flags
        if context.get_parameter_source(name) not in (ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP)
    }
    demo = flags["data"] is None and not Path("data").exists()
    folder: Path = flags["sweep"] or Path("sweeps") / ("demo" if demo else "default")
    settings = Settings(
        data=DEMO if demo else str(Path(flags["data"] or "data").resolve()),
        trials=flags["trials"],
        max_epochs=flags["max_epochs"],
        seed=flags["seed"],
        metric=flags["metric"],
        image_size=flags["image_size"],
        limit_train=flags["limit_train"],
        limit_valid=flags["limit_valid"],
        space=flags["space"],
        fixed=read_fixed(flags["fix"]),
        baselines=not flags["no_baselines"],
        sampler=flags["sampler"],
        pruner=flags["pruner"],
    )
    start = Start(
        command=shlex.join(["python", "-m", "search.run", *sys.argv[1:]]),
        address=flags["address"],
        concurrency=flags["concurrency"],
        cpus_per_trial=flags["cpus_per_trial"],
        gpus_per_trial=flags["gpus_per_trial"],
        memory_per_trial=flags["memory_per_trial"],
        attempts=flags["attempts"],
        max_failures=flags["max_failures"],
        budget_seconds=flags["time_budget"],
    )
    enqueued = _read_enqueued(flags["enqueue"])
    if not (folder / "sweep.json").exists():
        if flags["must_exist"]:
            raise ConfigError(f"--resume: {folder} holds no sweep")
        return begin(folder, settings, enqueued, start)
    return resume(folder, _with_stored(settings, given, folder), enqueued, start)


def _with_stored(settings: Settings, given: set[str], folder: Path) -> Settings:
    """What the command does not say, the sweep knows."""
    stored = SweepFile.read(folder).settings
    flag_of = {"fixed": "fix", "baselines": "no_baselines"}
    for name in vars(settings):
        if flag_of.get(name, name) not in given:
            setattr(settings, name, getattr(stored, name))
    return settings


def _read_enqueued(path: Path | None) -> list[dict[str, Any]]:
    if path is None:
        return []
    try:
        configs = json.loads(path.read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise ConfigError(f"--enqueue {path}: cannot be read as JSON: {error}") from error
    if not isinstance(configs, list) or not all(isinstance(config, dict) for config in configs):
        raise ConfigError(f"--enqueue {path}: must hold a list of objects, parameter name to value")
    return configs


if __name__ == "__main__":
    main()
