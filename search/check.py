"""Checks whether the folder of a sweep is whole, and says for each problem what to do about it.

    python -m search.check SWEEP              # only reads; also while the sweep runs
    python -m search.check SWEEP --repair     # mends what can be mended, after copies into SWEEP/backup-N

Exit codes: 0 it is whole, 2 it is not, 4 the storage fails, 75 --repair was asked for while a driver holds the sweep.
"""

import sys
from pathlib import Path

import click

from sweep.search.checks.command import check
from sweep.storage.command_line import SweepFolder, program, runs_own_code


@click.command(help=__doc__.split("\n")[0] if __doc__ else None)
@click.argument("sweep", type=SweepFolder(), default=Path("sweeps/default"))
@runs_own_code
@click.option("--repair", "must_repair", is_flag=True, help="Mends what can be mended, and says what is lost.")
def main(sweep: Path, must_repair: bool) -> None:
    """Runs the check, and with --repair the repair."""
    sys.exit(check(sweep, must_repair))


if __name__ == "__main__":
    program(main)
