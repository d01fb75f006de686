"""Shows one screen of a sweep: progress, the best so far, what runs, failures with reasons, time left.

python -m search.status sweeps/default
python -m search.status sweeps/default --watch    # kept fresh, until the sweep has ended or Ctrl-C
"""

from contextlib import suppress
from pathlib import Path

import click

from sweep.storage.command_line import SweepFolder, exit_codes, program, runs_own_code


@click.command()
@click.argument("sweep", type=SweepFolder(whole=False), default=Path("sweeps/default"))
@runs_own_code
@click.option("--watch", is_flag=True, help="Shows it again and again, until the sweep has ended or you press Ctrl-C.")
def main(sweep: Path, watch: bool) -> None:
    """Shows how the sweep in the folder SWEEP stands; a running one is not disturbed."""
    with exit_codes(sweep), suppress(KeyboardInterrupt):
        from sweep.analysis.report import status

        (status.watch if watch else status.show)(sweep)


if __name__ == "__main__":
    program(main)
