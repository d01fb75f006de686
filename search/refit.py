"""Train the best config of a sweep on train + validation, with several seeds, for the final prediction.

    python -m search.refit sweeps/default --seeds 3     # the same command continues after a crash or Ctrl-C
    python -m analysis.predict sweeps/default --with refit
    python -m search.refit sweeps/default --folds 5     # a net for each fold of the images, and refit/oof.csv

The refit is a sweep of its own, in the folder `refit` inside that of the sweep, which is only read. The weights after
the last epoch are kept. Without --folds there are no images left to measure them on. With --folds each labelled image
is predicted by a net that never saw it, and predictions of other images are the mean over all nets.
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

FOLDS_HELP = "Trains a net for each of so many parts, on the other parts, instead of one on all images."
MOST_SEEDS = 10  # the value of search.runtime.trial_files.KEPT_WEIGHTS, whose imports would take too long here


@click.command(context_settings=CONTEXT, help=__doc__.split("\n")[0] if __doc__ else None)
@click.argument("sweep", type=SweepFolder())
@click.option(
    "--seeds",
    type=click.IntRange(1, MOST_SEEDS),
    default=3,
    show_default=True,
    help="How many nets are trained, with another seed each time.",
)
@click.option("--folds", type=click.IntRange(2, MOST_FOLDS), default=None, help=FOLDS_HELP)
@click.option("--data", type=str, default=None, help="Where the data lies now; by default where it was last.")
@runs_own_code
@uses_weights
@runs_trials
@click.pass_obj
def main(open_session: Any, sweep: Path, **flags: Any) -> None:
    """Runs the refit; `start` is called under the lock of its folder."""

    def start() -> int:
        from sweep.search.runtime.retraining import Refit
        from sweep.search.runtime.start import Start
        from sweep.search.runtime.sweep import run

        return run(
            Refit(sweep, flags["seeds"], flags["data"], flags["folds"]), Start.from_flags("refit", flags), open_session
        )

    sys.exit(drive_below(sweep, "refit", start))


if __name__ == "__main__":
    program(main)
