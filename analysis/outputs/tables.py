"""Makes the tables of a sweep: one with a row for each trial, one with a row for each epoch of each trial."""

import dataclasses
from statistics import fmean

import pandas as pd

from sweep.analysis.record import Record
from sweep.storage import paths
from sweep.storage.files import save_bytes, written_whole
from sweep.trainable.config import TrialConfig
from sweep.trainable.metrics.history import OWN_FIELD, EpochMetrics

DTYPES = {"int": "Int64", "float": "Float64", "bool": "boolean", "str": "string"}  # all may lack values
FORMULA_START = r"^(?![+-]?\d+$)([=+\-@\t\r])"  # a spreadsheet runs a cell like this

TRIAL_COLUMNS = {
    "number": "Int64",
    "state": "string",
    "reason": "string",
    "baseline": "string",
    "value": "Float64",
    "valid_accuracy": "Float64",
    "best_epoch": "Int64",
    "epochs": "Int64",
    "attempts": "Int64",
    "seconds": "Float64",
}


def write_tables(record: Record) -> None:
    """Writes `trials.parquet`, `trials.csv` and `epochs.parquet`, which have the same columns whatever the trials are.

    Raises:
      DamagedError: a file that was kept of a trial is damaged.
    """
    config = {f"config.{field.name}": _dtype(field) for field in dataclasses.fields(TrialConfig)}
    epoch = {field.name: _dtype(field) for field in dataclasses.fields(EpochMetrics)}
    if record.metric.field != OWN_FIELD:
        del epoch[OWN_FIELD]
    trials = _typed(trials_table(record), TRIAL_COLUMNS | config)
    epochs = _typed(epochs_table(record), {"number": "Int64"} | epoch)
    for name, table in ((paths.TRIALS_PARQUET, trials), (paths.EPOCHS_PARQUET, epochs)):
        with written_whole(record.folder / name) as partial:
            table.to_parquet(partial, index=False)
    csv = safe_cells(trials).to_csv(index=False, lineterminator="\n")
    save_bytes(record.folder / paths.TRIALS_CSV, csv.encode())


def trials_table(record: Record) -> pd.DataFrame:
    """Returns a table with one row for each trial.

    `valid_accuracy` is that of the trial's best epoch; with folds it is the mean over the folds, each at its best
    epoch. `seconds` are those of all epochs together. There is a column `config.NAME` for each field that is set in
    some config.

    Raises:
      DamagedError: a file that was kept of a trial is damaged.
    """
    rows = []
    for trial in record.trials:
        history, at_best = trial.history, record.at_best(trial)
        row = {
            "number": trial.number,
            "state": str(trial.state),
            "reason": trial.reason,
            "baseline": trial.baseline,
            "value": trial.value,
            "valid_accuracy": fmean(net["valid_accuracy"] for net in at_best) if at_best else None,
            "best_epoch": trial.best_epoch,
            "epochs": trial.epochs,
            "attempts": trial.attempts,
            "seconds": round(sum(epoch["seconds"] for epoch in history), 3),
        }
        rows.append(row | {f"config.{name}": value for name, value in trial.config.items()})
    return pd.DataFrame(rows)


def epochs_table(record: Record) -> pd.DataFrame:
    """Returns a table with one row for each epoch of each trial that has ended.

    The columns are `number` and the fields of `trainable.metrics.history.EpochMetrics`.

    Raises:
      DamagedError: a file that was kept of a trial is damaged.
    """
    return pd.DataFrame([{"number": trial.number} | epoch for trial in record.trials for epoch in trial.history])


def safe_cells(table: pd.DataFrame) -> pd.DataFrame:
    """Returns the table with an apostrophe before each text that a spreadsheet would run as a formula."""
    texts = table.select_dtypes("string")
    return table.assign(**{name: texts[name].str.replace(FORMULA_START, r"'\1", regex=True) for name in texts})


def _dtype(field: dataclasses.Field) -> str:
    return DTYPES[getattr(field.type, "__name__", str(field.type)).removesuffix(" | None")]


def _typed(table: pd.DataFrame, columns: dict[str, str]) -> pd.DataFrame:
    return table.reindex(columns=list(columns)).astype(columns)
