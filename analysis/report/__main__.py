"""Make the report of a sweep, running or ended.

    python -m analysis.report SWEEP

It writes report.html (a single file that needs no other), report.md and figures/*.png.
"""

from pathlib import Path

import click

from sweep.storage.command_line import SweepFolder, exit_codes, program, runs_own_code


@click.command(help=__doc__.split("\n")[0] if __doc__ else None)
@click.argument("sweep", type=SweepFolder())
@runs_own_code
def main(sweep: Path) -> None:
    """Writes the report and prints the path of its page."""
    with exit_codes(sweep):
        from sweep.analysis.record import Record
        from sweep.analysis.report.page import write_report

        print(f"{write_report(Record(sweep))}")


if __name__ == "__main__":
    program(main)
