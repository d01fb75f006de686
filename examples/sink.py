"""A sink of your own: it writes a line of JSON for each trial that ends, to a file in the sweep's subfolder `sinks`.

    python -m search.run --sweep sweeps/mine --sink examples/sink.py:Lines --trials 10

It may have any of the methods of `search.sinks.Sink`. If one fails, the sweep continues, and the screen says so once.
"""

import json

from optuna.trial import FrozenTrial

from sweep.search.runtime.ledger import state_of
from sweep.search.sinks import Begun, Sink
from sweep.storage.files import make_folder


class Lines(Sink):
    def __init__(self, sweep: Begun) -> None:
        self.path = sweep.folder / "sinks" / "lines.jsonl"
        make_folder(self.path.parent)

    def ended(self, trial: FrozenTrial) -> None:
        event = {"trial": trial.number, "state": state_of(trial), "value": trial.value}
        with open(self.path, "a", encoding="utf-8") as lines:
            print(json.dumps(event), file=lines)
