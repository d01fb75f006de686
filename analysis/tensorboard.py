"""Write TensorBoard event files of a sweep's trials, with their hyperparameters.

    python -m analysis.tensorboard SWEEP
    tensorboard --logdir SWEEP/tensorboard

Each trial that has ended gets a folder named by its number. Run the same command again while the sweep runs to add the
trials that ended since.
"""

import sys
from pathlib import Path

import click

from sweep.storage.command_line import SweepFolder, exit_codes, program
from sweep.storage.text import counted


@click.command(help=__doc__.split("\n")[0] if __doc__ else None)
@click.argument("sweep", type=SweepFolder())
def main(sweep: Path) -> None:
    """Writes the event files and prints how many trials were added."""
    with exit_codes(sweep):
        from sweep.analysis.outputs.tensorboard import write_events
        from sweep.analysis.record import Record

        numbers, messages = write_events(Record(sweep))
    for message in messages:
        print(f"left out: {message}", file=sys.stderr)
    place = f"{sweep / 'tensorboard'}"
    print(f"{place}: {counted(len(numbers), 'more trial')}; tensorboard --logdir {place}")


if __name__ == "__main__":
    program(main)
