"""Runs only the checks that precede a sweep: that each node can run trials, and that a trial fits on one.

    python -m search.preflight                                             # this machine
    python -m search.preflight --address auto --sweep /mnt/sweeps/default  # the cluster that it is part of

Exit codes: 0 all is well, 2 something has to be mended, with a line for each problem: node, cause, remedy.
"""

import sys
from pathlib import Path
from typing import Any

import click

from sweep.search.options import CONTEXT, runs_trials
from sweep.search.runtime.driver import drive
from sweep.storage.command_line import Exit, SweepFolder, program
from sweep.trainable.options import uses_weights

HELP = "The folder that the sweep will lie in, which each node must see."


@click.command(context_settings=CONTEXT)
@click.option("--sweep", type=SweepFolder(whole=False), default=Path("sweeps/default"), show_default=True, help=HELP)
@uses_weights
@runs_trials
def main(sweep: Path, **flags: Any) -> None:
    """Checks each node that is there, and that a trial fits on one; starts nothing and leaves nothing behind."""

    def check() -> int:
        from sweep.search.ray.readiness import check_all
        from sweep.search.runtime.pretrained import check_weights
        from sweep.search.runtime.start import Start

        ready = check_all(sweep, Start.from_flags("preflight", flags))
        print("\n".join([*ready, *check_weights(sweep)]))
        return Exit.WELL

    sys.exit(drive(sweep, check))


if __name__ == "__main__":
    program(main)
