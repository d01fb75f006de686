"""What a person is told on the terminal at the end of a sweep."""

from analysis.record import Record, TrialRecord
from analysis.report.contents import baselines, caution, config_text, count_states, failures, progress
from storage import paths
from storage.states import State

FILES = {
    "report": paths.REPORT_PAGE,
    "leaderboard": paths.TRIALS_CSV,
    "best model": paths.BEST,
    "predictions": paths.PREDICTIONS,
}


def summary(record: Record) -> str:
    """Plain text, some ten lines: progress, the best trial, the baselines beside it, where the results lie."""
    states = ", ".join(f"{count} {state}" for state, count in count_states(record).items())
    lines = [f"{record.folder}: {progress(record)} ({states})"]
    best = record.best
    if not record.metric.is_measured:
        lines.append("a refit: it trains on its validation images too, so no number says how good it is")
    elif best is None:
        lines.append("best: no trial is COMPLETE yet")
    else:
        lines += [f"best: {trial_line(record, best)}", f"  {config_text(best.config)}", f"  {caution(record, best)}"]
    for trial in baselines(record):
        lines.append(f"baseline {trial.baseline}: {trial_line(record, trial)}")
    if failed := failures(record):
        lines.append("failures: " + ", ".join(f"{len(trials)} {reason}" for reason, trials in failed.items()))
    for what, name in FILES.items():
        if (record.folder / name).exists():
            lines.append(f"{what}: {record.folder / name}")
    return "\n".join(lines)


def trial_line(record: Record, trial: TrialRecord) -> str:
    """A trial's value with its metric, epoch, number and state."""
    name = f"trial {trial.number}" + ("" if trial.state == State.COMPLETE else f", {trial.state}")
    if trial.value is None:
        return f"no value ({name})"
    return f"{record.metric.words} {trial.value:z.4f} after epoch {trial.best_epoch} ({name})"
