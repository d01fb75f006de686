"""Search hyperparameters for an image classifier, on this machine or a Ray cluster.

    python -m search.run --trials 50        # the same command continues after a crash or Ctrl-C
    python -m search.run --trials 80        # 30 more on top

50 trials on 8,000 16x16 images: 8 to 17 minutes on 2 cores of an AMD EPYC, best validation accuracy
0.684 +- 0.004 over 6 seeds (commit e9e516c).
"""

import sys
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from sweep.datasets.options import reads_data
from sweep.search import pruners, samplers, spaces
from sweep.search.options import CONTEXT, runs_trials
from sweep.search.runtime.driver import drive
from sweep.storage import paths
from sweep.storage.command_line import NameOrOwn, SweepFolder, exit_codes, program, runs_own_code, without_password
from sweep.storage.errors import SweepError
from sweep.storage.sweep_file import BASELINES
from sweep.trainable.metrics import DEFAULT, SHOWN, is_flag
from sweep.trainable.options import uses_weights

SWEEP_HELP = "Its folder, or s3://BUCKET/PATH or gs://BUCKET/PATH; default sweeps/default."


@click.command(context_settings=CONTEXT)
@click.option(
    "--data", type=str, default=None, help="Folder, archive or file of images; default data/, else demo images."
)
@click.option("--sweep", type=SweepFolder(whole=False), default=None, help=SWEEP_HELP)
@click.option("--trials", type=click.IntRange(min=1), default=50, show_default=True, help="Of the sweep in total.")
@click.option(
    "--budget-epochs",
    type=click.IntRange(min=1),
    default=None,
    help="Of training in all: draws as many trials as fit; with --trials, whichever comes first.",
)
@click.option("--max-epochs", type=click.IntRange(min=1), default=30, show_default=True, help="Of any trial.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--resume", "must_exist", is_flag=True, help="The sweep must exist already.")
@reads_data
@click.option("--metric", type=NameOrOwn(SHOWN, is_flag), default=DEFAULT, help="Or FILE.py:OBJECT, one of your own.")
@click.option(
    "--space",
    type=NameOrOwn(spaces.NAMES),
    default=None,
    help="Default: by the data and the device; or FILE.py:OBJECT, your own search space, a function.",
)
@click.option(
    "--backbones",
    type=str,
    multiple=True,
    metavar="NAME,NAME",
    help="Pretrained nets to use, timm/NAME or torchvision/NAME; default: those whose weights are at hand.",
)
@click.option(
    "--fix", "fixed", type=str, multiple=True, metavar="NAME=VALUE", help="Takes a hyperparameter out of the search."
)
@click.option("--enqueue", type=click.Path(path_type=Path), default=None, help="JSON list of configs to run first.")
@click.option("--like", type=str, multiple=True, metavar="SWEEP", help="Its best configs first; may be repeated.")
@click.option(
    "--baselines",
    type=click.Choice(BASELINES),
    default="auto",
    show_default=True,
    help="The runs published for the contest first; auto: where the data is that contest's (16x16 px, 7 classes).",
)
@click.option("--no-baselines", "baselines", flag_value="none", hidden=True)  # as commands had it before the choice
@click.option("--sampler", type=click.Choice(samplers.NAMES), default=samplers.NAMES[0])
@click.option("--pruner", type=click.Choice(pruners.NAMES), default=pruners.NAMES[0])
@click.option("--ledger", type=str, default="", metavar="URL", help="postgresql://[USER@]HOST[:PORT]/DATABASE.")
@runs_own_code
@uses_weights
@runs_trials
@click.pass_context
def main(context: click.Context, **flags: Any) -> None:
    """Search hyperparameters for an image classifier; the same command goes on after any interruption."""
    given = {name for name in flags if context.get_parameter_source(name) != ParameterSource.DEFAULT}
    is_demo = flags["data"] is None and not Path("data").exists()
    if not is_demo:
        given.add("data")  # without the flag it is data/ here, which may be other data than the sweep's
    folder: Path = flags["sweep"] or Path("sweeps") / ("demo" if is_demo else "default")
    with exit_codes():
        flags["ledger"] = without_password(flags["ledger"], "run")
        if flags["must_exist"] and not paths.is_sweep(folder):
            raise SweepError(f"--resume: {folder} holds no sweep")

    def start() -> int:  # what it imports is imported under the lock, so that a second driver is refused at once
        from sweep.search.runtime.request import search_of
        from sweep.search.runtime.start import Start
        from sweep.search.runtime.sweep import run

        return run(search_of(folder, flags, given, is_demo), Start.of("run", flags), context.obj)

    sys.exit(drive(folder, start))


if __name__ == "__main__":
    program(main)
