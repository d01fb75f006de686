"""One screen of a sweep: progress, the best so far, failures with reasons, time left.

python -m search.status sweeps/default
"""

import sys
from pathlib import Path

import click


@click.command()
@click.argument("sweep", type=click.Path(path_type=Path), default=Path("sweeps/default"))
def main(sweep: Path) -> None:
    """Shows how the sweep in the folder SWEEP stands; a running one is not disturbed."""
    from analysis.journal import JournalError
    from analysis.record import Record, SweepError
    from analysis.summary import summary

    try:
        record = Record(sweep)
        print(summary(record))
    except (SweepError, JournalError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    print(_driver(sweep))


def _driver(sweep: Path) -> str:
    """Who holds the sweep, by its lock."""
    import fcntl

    try:
        with open(sweep / "lock") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return f"driver: {file.read().strip()}"
    except FileNotFoundError:
        pass
    return "driver: none runs; the command that started the sweep goes on with it"


if __name__ == "__main__":
    main()
