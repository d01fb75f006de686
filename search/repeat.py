"""Train the best configs of a sweep again with other seeds: what they are worth, and whether the first is the best.

    python -m search.repeat sweeps/default --top 3 --seeds 5    # the same command continues after a crash or Ctrl-C
    python -m search.repeat sweeps/default --top 3 --seeds 8    # three seeds more

The repeat is a sweep of its own, in the folder `repeat` inside that of the sweep, which is only read and may still run.
"""

import sys
from pathlib import Path
from typing import Any

import click

from sweep.search.options import CONTEXT, runs_trials
from sweep.search.runtime.driver import drive_below
from sweep.storage.command_line import SweepFolder, program, runs_own_code
from sweep.storage.sweep_file import MOST_FOLDS
from sweep.trainable.options import uses_weights

FOLDS_HELP = "How many folds the images are divided into; by default as in the search."


@click.command(context_settings=CONTEXT, help=__doc__.split("\n")[0] if __doc__ else None)
@click.argument("sweep", type=SweepFolder())
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="How many of the best configs are trained again.",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="How often each is trained, with another seed each time.",
)
@click.option("--folds", type=click.IntRange(2, MOST_FOLDS), default=None, help=FOLDS_HELP)
@click.option("--data", type=str, default=None, help="Where the data lies now; by default where it was last.")
@runs_own_code
@uses_weights
@runs_trials
@click.pass_obj
def main(open_session: Any, sweep: Path, **flags: Any) -> None:
    """Runs the repeat; `start` is called under the lock of its folder."""

    def start() -> int:
        from sweep.search.runtime.retraining import Repeat
        from sweep.search.runtime.start import Start
        from sweep.search.runtime.sweep import run

        repeat = Repeat(sweep, flags["top"], flags["seeds"], flags["data"], flags["folds"])
        return run(repeat, Start.from_flags("repeat", flags), open_session)

    sys.exit(drive_below(sweep, "repeat", start))


if __name__ == "__main__":
    program(main)
