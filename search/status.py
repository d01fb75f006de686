"""One screen of a sweep: progress, the best so far, failures with reasons, time left.

python -m search.status sweeps/default
"""

import sys
from datetime import datetime
from pathlib import Path

import click

from analysis.contents import duration
from analysis.record import Record, SweepError
from analysis.summary import summary
from search.lock import holder
from trainable.files import DamagedError


@click.command()
@click.argument("sweep", type=click.Path(path_type=Path), default=Path("sweeps/default"))
def main(sweep: Path) -> None:
    """Shows how the sweep in the folder SWEEP stands; a running one is not disturbed."""
    try:
        record = Record(sweep)
        print(summary(record))
    except (SweepError, DamagedError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        print(error, file=sys.stderr)
        sys.exit(4)
    if driver := holder(sweep):
        print(f"driver: {driver}{_time_left(record)}")
    else:
        print("driver: none runs; the command that started the sweep goes on with it")


def _time_left(record: Record) -> str:
    """By the pace of the trials that ended since the driver started."""
    started = datetime.fromisoformat(record.settings["starts"][-1]["time"])
    trials = record.study.get_trials(deepcopy=False)
    ended = [trial.datetime_complete for trial in trials if trial.datetime_complete]
    here = [time for time in ended if time >= started]
    left = record.settings["trials"] - len(ended)
    if not here or left <= 0:
        return ""
    return f"; about {duration((max(here) - started).total_seconds() / len(here) * left)} left"


if __name__ == "__main__":
    main()
