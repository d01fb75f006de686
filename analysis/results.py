"""Everything that is made out of a sweep's trials, written at its end."""

from pathlib import Path

from analysis.best import write_best
from analysis.predict import write_predictions
from analysis.record import Record
from analysis.report import write_report
from analysis.tables import write_tables
from datasets.dataset import Dataset


def write_results(record: Record, data: Dataset | None) -> list[Path]:
    """Writes the tables, the report, `best/` and `predictions.csv`; the same trials give the same bytes.

    Nothing of the last two where no trial is COMPLETE, and no predictions without `data` or its test split.

    Returns:
      what a person will look for, in the order of writing.

    Raises:
      SweepError, PredictionError: `best/` or the predictions cannot be made; all before them is written.
    """
    write_tables(record)
    written = [record.folder / "trials.csv", write_report(record)]
    best = write_best(record)
    if best is not None:
        written.append(record.folder / "best")
        if data is not None and data.test is not None:
            out = record.folder / "predictions.csv"
            write_predictions(best, data.test, data.submission_ids, out)
            written.append(out)
    return written
