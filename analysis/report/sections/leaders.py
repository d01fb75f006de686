"""Compares the best configs side by side."""

from dataclasses import dataclass

from sweep.analysis.record import Record
from sweep.analysis.report.contents import LEADERS, value_text
from sweep.analysis.trial_record import TrialRecord


@dataclass(frozen=True)
class ParameterCell:
    """The value of a parameter of a trial.

    Attributes:
      text: the value as it is shown; empty if the trial does not have the parameter.
      value: the value by which the column is sorted.
      differs: whether the trial has the parameter with another value than the best trial.
    """

    text: str
    value: str | float
    differs: bool


@dataclass(frozen=True)
class Leaders:
    """A table of the best trials and their parameters.

    Attributes:
      trials: the best trials, from the best on.
      columns: the parameters in which they differ.
      are_numbers: for each of `columns`, whether it holds numbers.
      cells: a row for each trial, with a cell for each of `columns`.
      common: the parameters that are the same for all of them, with their values.
    """

    trials: list[TrialRecord]
    columns: list[str]
    are_numbers: list[bool]
    cells: list[list[ParameterCell]]
    common: list[tuple[str, str]]


def leaders(record: Record) -> Leaders:
    """Returns the table of the best trials of a sweep."""
    trials = record.ranked[:LEADERS]
    names = list(dict.fromkeys(name for trial in trials for name in trial.params))
    columns = [name for name in names if len({value_text(trial.params.get(name, "")) for trial in trials}) > 1]
    cells = [[_cell(trial, trials[0], name) for name in columns] for trial in trials]
    common = [(name, value_text(trials[0].params[name])) for name in names if name not in columns]
    are_numbers = [
        all(row[place].value == "" or not isinstance(row[place].value, str) for row in cells)
        for place in range(len(columns))
    ]
    return Leaders(trials, columns, are_numbers, cells, common)


def _cell(trial: TrialRecord, best: TrialRecord, name: str) -> ParameterCell:
    value = trial.params.get(name, "")
    text, is_number = value_text(value), isinstance(value, int | float) and not isinstance(value, bool)
    return ParameterCell(
        text, value if is_number else str(value), text not in ("", value_text(best.params.get(name, "")))
    )
