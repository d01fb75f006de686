"""The end of a start: writes the results and chooses the exit code."""

import signal
import sys
from typing import TYPE_CHECKING

from optuna.trial import TrialState

from sweep.search.runtime.sweep_kinds import RequestedSweep
from sweep.storage.command_line import Exit
from sweep.storage.states import Stop
from sweep.storage.sweep_file import SweepFile
from sweep.storage.text import counted

if TYPE_CHECKING:
    from sweep.datasets.pixels.dataset import Dataset
    from sweep.search.runtime.bridge import Bridge


def finish(
    sweep: RequestedSweep, file: SweepFile, bridge: "Bridge", data: "Dataset", signals: list[int], command: str
) -> int:
    """Writes the results, also those of a sweep that was stopped early, and returns the exit code."""
    signal_name = signal.Signals(signals[0]).name if signals else ""
    file.starts[-1].stopped = signal_name or bridge.stopping_words or Stop.FINISHED
    file.write(sweep.folder)  # before the results, because the report shows why the sweep stopped
    ended = sum(trial.state.is_finished() for trial in bridge.ledger.trials)
    way_out = "; the next start does it if a second signal ends this at once" if signals else ""
    # This takes minutes where large nets are averaged over views.
    print(f"Writing the results of {counted(ended, 'ended trial')}{way_out}.", flush=True)
    sweep.write_results(data)
    file.results_of = ended
    file.write(sweep.folder)
    print(sweep.summary())
    return exit_code(bridge, signals, command)


def exit_code(bridge: "Bridge", signals: list[int], command: str) -> int:
    """Returns the exit code of a start, and prints why it stopped before the end if it did."""
    advice = f"Run the same command again to go on: {command}"
    if signals:
        print(f"Stopped by {signal.Signals(signals[0]).name}; everything is saved. {advice}")
        return 128 + signals[0]
    states = [trial.state for trial in bridge.ledger.trials if trial.state.is_finished()]
    is_whole = not bridge.has_more and len(states) == len(bridge.ledger.trials)
    if bridge.stopping is Stop.TIME_BUDGET and not is_whole:
        no_gain = ", and no trial had made a report: nothing was gained, give it more."
        print(f"The time budget is reached{'; everything is saved.' if bridge.has_gained else no_gain} {advice}")
        return Exit.BUDGET_REACHED
    if bridge.stopping is Stop.RAY_ENDED and not is_whole:
        print(f"Ray has ended; everything is saved. {advice}", file=sys.stderr)
        return Exit.STORAGE_FAILS
    if bridge.stopping in (Stop.FAILURES, Stop.NO_CONFIG):
        print(f"Stopped: {bridge.stopping_words}. Mend the cause, then run the same command again.", file=sys.stderr)
        return Exit.NO_TRIAL_COMPLETED
    return 0 if TrialState.COMPLETE in states else Exit.NO_TRIAL_COMPLETED
