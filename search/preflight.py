"""The checks that run before a sweep, alone: each node that is there can run trials, and a trial fits on one.

    python -m search.preflight                                             # this machine
    python -m search.preflight --address auto --sweep /mnt/sweeps/default  # the cluster that it is part of

Exit codes: 0 all is well, 2 something is yours to mend, a line each: node, cause, remedy.
"""

import sys
from pathlib import Path
from typing import Any

import click

from sweep.search.options import CONTEXT, runs_trials
from sweep.search.runtime.driver import drive
from sweep.storage.command_line import Exit, SweepFolder, program
from sweep.trainable.options import uses_weights


@click.command(context_settings=CONTEXT)
@click.option("--sweep", type=SweepFolder(whole=False), default=Path("sweeps/default"), show_default=True)
@uses_weights
@runs_trials
def main(sweep: Path, **flags: Any) -> None:
    """Checks each node that is there, and that a trial fits on one; starts nothing and leaves nothing behind."""

    def check() -> int:
        from sweep.search.ray.readiness import check_all
        from sweep.search.runtime.pretrained import check_weights
        from sweep.search.runtime.start import Start

        ready = check_all(sweep, Start.of("preflight", flags))
        print("\n".join([*ready, *check_weights(sweep)]))
        return Exit.WELL

    sys.exit(drive(sweep, check))


if __name__ == "__main__":
    program(main)
