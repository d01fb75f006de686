"""Train one config without Ray, to try or to debug it.

    python -m trainable.train --config config.json --data PATH

A config is a JSON object of hyperparameters, as `config.json` in a trial's folder;
hyperparameters that it leaves out keep their defaults.
"""

import sys
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import click

from sweep.datasets.options import reads_data, taken_options
from sweep.storage.bucket import open_place
from sweep.storage.command_line import NameOrOwn, exit_codes, program, runs_own_code
from sweep.storage.files import read_json
from sweep.storage.store import store_of
from sweep.trainable.allocator import keep_freed_memory
from sweep.trainable.config import ConfigError, TrialConfig
from sweep.trainable.devices import fastest
from sweep.trainable.metrics import DEFAULT, SHOWN, is_flag, name_of
from sweep.trainable.options import uses_weights
from sweep.trainable.weights import licences, needed

if TYPE_CHECKING:
    from sweep.datasets.pixels.dataset import Dataset


@click.command(help=__doc__.split("\n")[0] if __doc__ else None)
@runs_own_code
@uses_weights
@click.option("--config", "config_place", required=True, help="The JSON file of a config, or its address in a bucket.")
@click.option(
    "--data",
    "data_path",
    type=click.Path(path_type=Path),
    required=True,
    help="A folder, an archive or a file with images.",
)
@reads_data
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    help="The seed of the search, which decides a split that is cut, and the limits.",
)
@click.option("--metric", type=NameOrOwn(SHOWN, is_flag), default=DEFAULT, help="What the config is judged by.")
def main(config_place: str, data_path: Path, metric: str, seed: int, **flags: Any) -> None:
    """Reads the config and the data, and trains; the exit code is 3 if the training diverges."""
    from sweep.datasets.load import check_trainable, load
    from sweep.trainable.weights.prepare import prepare

    with exit_codes():
        config, data = _config(config_place), load(data_path, taken_options(flags), seed)
        check_trainable(data, data_path)
        table = prepare(needed(config), print)
        for note in (*data.notes, *licences.notes(table)):
            print(note)
        try:
            _train(config, data.for_training(), name_of(metric))
        except ArithmeticError as error:
            print(f"diverged: {error}", file=sys.stderr)
            sys.exit(3)


def _config(place: str) -> TrialConfig:
    """Reads the config file.

    Raises:
      ConfigError: it cannot be read, or does not hold a config.
    """
    try:
        file = open_place(place)
    except ValueError as error:  # the address is not shown, because it may contain a key
        raise ConfigError(f"--config: {error}") from error
    try:
        store_of(file).fetch(file.parent, whole=False)
        values = read_json(file)
    except OSError as error:
        raise ConfigError(f"--config {place}: {store_of(file).shown(str(error))}") from error
    finally:
        store_of(file).close()
    if not isinstance(values, dict):
        raise ConfigError(f"{place}: must hold a JSON object of hyperparameters")
    try:
        return TrialConfig.from_dict(values)
    except ConfigError as error:
        raise ConfigError(f"--config {place}: {error}") from None


def _train(config: TrialConfig, data: "Dataset", metric: str) -> None:
    """Trains the config, with a net for each fold if the data has folds, and prints each epoch."""
    keep_freed_memory()
    device = fastest()
    if data.folds is None:
        _train_net(config, data, metric, device)
        return
    values = []
    for fold in range(1, int(data.folds.max()) + 2):
        print(f"fold {fold} of {int(data.folds.max()) + 1}")
        values.append(_train_net(config, data.fold(fold), metric, device))
    print(f"{metric}: mean over the folds {fmean(values):z.4f}, each at its best epoch")


def _train_net(config: TrialConfig, data: "Dataset", metric: str, device: str) -> float:
    """Trains one net, and returns its value at its best epoch."""
    from sweep.trainable.loop import train
    from sweep.trainable.state import new_state

    state = new_state(config, data, metric, device)
    state.metric.check(data.valid.truth, data.classes)
    shown_note = ""
    for metrics in train(config, data, state):
        best = " best" if state.best_epoch == metrics.epoch else ""
        is_short = metrics.micro_batch < config.batch_size
        parts = f"  micro-batches of {metrics.micro_batch}, for lack of GPU memory" if is_short else ""
        print(
            f"epoch {metrics.epoch}/{config.epochs}  train loss {metrics.train_loss:z.4f}  "
            f"valid loss {metrics.valid_loss:z.4f}  valid accuracy {metrics.valid_accuracy:.4f}  "
            f"{metrics.seconds:.1f} s{best}{parts}",
            flush=True,
        )
        if state.note != shown_note:
            shown_note = state.note
            print(shown_note, flush=True)
    return state.metric.best_so_far(state.metric.of_epochs(state.history))[-1]


if __name__ == "__main__":
    program(main)
