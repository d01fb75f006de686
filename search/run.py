"""Search hyperparameters for an image classifier, on this machine or a Ray cluster.

    python -m search.run --trials 50        # the same command continues after a crash or Ctrl-C
    python -m search.run --trials 80        # 30 more on top

50 trials on 8,000 16x16 images: 8 to 17 minutes on 2 cores of an AMD EPYC, best validation accuracy
0.684 +- 0.004 over 6 seeds (commit e9e516c).
"""

import json
import os
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import click
from click.core import ParameterSource

from analysis.folder import SweepFolder
from search.command import CONTEXT, YOURS_TO_MEND, drive, runs_trials
from trainable.bucket import address_of
from trainable.config import ConfigError
from trainable.program import program

# Everything else is imported under the lock, so that a second driver is refused at once.
if TYPE_CHECKING:
    from search.settings import Settings


SHOWN = 40  # characters of a wrong entry
SWEEP_HELP = "Its folder, or s3://BUCKET/PATH or gs://BUCKET/PATH; default sweeps/default."


@click.command(context_settings=CONTEXT)
@click.option("--data", type=str, default=None, help="Folder or .zip; default data/, else generated demo images.")
@click.option("--sweep", type=SweepFolder(whole=False), default=None, help=SWEEP_HELP)
@click.option("--trials", type=click.IntRange(min=1), default=50, show_default=True, help="Of the sweep in total.")
@click.option("--max-epochs", type=click.IntRange(min=1), default=30, show_default=True, help="Of any trial.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--resume", "must_exist", is_flag=True, help="The sweep must exist already.")
@click.option("--image-size", type=int, default=None, help="Side in px that images are resized to.")
@click.option(
    "--limit-train", type=click.IntRange(min=1), default=None, help="Only so many train images: a quick look."
)
@click.option("--limit-valid", type=click.IntRange(min=1), default=None, help="Only so many validation images.")
@click.option("--metric", type=click.Choice(["accuracy", "balanced_accuracy", "loss"]), default="accuracy")
@click.option("--space", type=str, default=None, help="FILE.py:FUNCTION, your own search space.")
@click.option(
    "--fix", "fixed", type=str, multiple=True, metavar="NAME=VALUE", help="Takes a hyperparameter out of the search."
)
@click.option("--enqueue", type=click.Path(path_type=Path), default=None, help="JSON list of configs to run first.")
@click.option(
    "--baselines",
    type=click.Choice(["auto", "published", "none"]),
    default="auto",
    show_default=True,
    help="The runs published for the contest first; auto: where the data is that contest's (16x16 px, 7 classes).",
)
@click.option("--no-baselines", "baselines", flag_value="none", hidden=True)  # as commands had it before the choice
@click.option("--sampler", type=click.Choice(["tpe", "gp", "random"]), default="tpe")
@click.option("--pruner", type=click.Choice(["halving", "median", "none"]), default="halving")
@click.option("--ledger", type=str, default="", metavar="URL", help="postgresql://[USER@]HOST[:PORT]/DATABASE.")
@runs_trials
@click.pass_context
def main(context: click.Context, **flags: Any) -> None:
    """Search hyperparameters for an image classifier; the same command goes on after any interruption."""
    sys.exit(_main(context, flags))


def _main(context: click.Context, flags: dict[str, Any]) -> int:
    given = {name for name in flags if context.get_parameter_source(name) != ParameterSource.DEFAULT}
    is_demo = flags["data"] is None and not Path("data").exists()
    if not is_demo:
        given.add("data")  # without the flag it is data/ here, which may be other data than the sweep's
    folder: Path = flags["sweep"] or Path("sweeps") / ("demo" if is_demo else "default")
    try:
        flags["ledger"] = _without_password(flags["ledger"])
    except ConfigError as error:
        print(error, file=sys.stderr)
        return YOURS_TO_MEND
    if flags["must_exist"] and not (folder / "sweep.json").exists():
        print(f"--resume: {address_of(folder)} holds no sweep", file=sys.stderr)
        return YOURS_TO_MEND
    return drive(folder, lambda: _start(folder, flags, given, is_demo))


def _without_password(url: str) -> str:
    """The URL of a database as it may be written down; a password in it goes on in PGPASSWORD, in no file or log.

    Every list of processes and Ray's own logs show a command's words, so the command is
    begun anew without it.

    Raises:
      ConfigError: it is no URL of a PostgreSQL database; the message does not repeat it.
    """
    if not url:
        return url
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme == "postgresql" and parts.hostname and parts.path.strip("/") and parts.port != 0
    except ValueError:  # of the port, or of brackets
        is_whole = False
    if not is_whole or parts.query or parts.fragment or "@" in parts.path:  # as after a password with a slash in it
        rule = "must be postgresql://[USER@]HOST[:PORT]/DATABASE, special characters percent-encoded"
        raise ConfigError(f"--ledger: {rule}; the password is best left to PGPASSWORD or ~/.pgpass")
    if parts.password is None:
        return url
    if parts.password:
        os.environ["PGPASSWORD"] = unquote(parts.password)
    clean = url.replace(f":{parts.password}@", "@", 1)
    words = [word.replace(url, clean) for word in sys.argv[1:]]
    if words != sys.argv[1:]:
        os.execv(sys.executable, [sys.executable, "-m", "search.run", *words])  # noqa: S606 (this program itself)
    return clean


def _start(folder: Path, flags: dict[str, Any], given: set[str], is_demo: bool) -> int:
    from analysis.data_place import own_images
    from search.kinds import Search
    from search.settings import Settings
    from search.space import absolute, read_fixed
    from search.sweep import Start, run

    flags["data"] = str(own_images(folder)) if is_demo else os.path.realpath(flags["data"] or "data")
    flags["space"] = flags["space"] and absolute(flags["space"])
    flags["fixed"] = read_fixed(flags["fixed"])
    settings = Settings(**{field.name: flags[field.name] for field in fields(Settings)})
    enqueued = _read_enqueued(flags["enqueue"])
    if (folder / "sweep.json").exists():
        settings = _with_stored(settings, given, folder)
    return run(Search(folder, settings, enqueued, flags["enqueue"], "space" in given), Start.of("search.run", flags))


def _with_stored(settings: "Settings", given: set[str], folder: Path) -> "Settings":
    """What the command does not say, the sweep knows."""
    from search.settings import SweepFile

    stored = SweepFile.read(folder).settings
    return replace(stored, **{name: value for name, value in vars(settings).items() if name in given})


def _read_enqueued(path: Path | None) -> list[dict[str, Any]]:
    if path is None:
        return []
    try:
        configs = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"--enqueue {path}: cannot be read as JSON: {error}") from error
    rule = "must hold a list of objects, parameter name to value"
    if not isinstance(configs, list):
        raise ConfigError(f"--enqueue {path}: {rule}, got {json.dumps(configs)[:SHOWN]}")
    for number, config in enumerate(configs, start=1):
        if not isinstance(config, dict):
            raise ConfigError(f"--enqueue {path}, entry {number}: {rule}, got {json.dumps(config)[:SHOWN]}")
    return configs


if __name__ == "__main__":
    program(main)
