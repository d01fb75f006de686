"""A sweep from its start to its results, whatever its trials run on.

`driver.py` holds the lock, `request.py` says what a command asks for, `sweep_kinds.py` and `retraining.py` what sets a
search, a repeat and a refit apart. `sweep.py` begins a sweep or goes on with it, `ending.py` writes its results.
Between them `bridge.py` decides what runs next: `draws.py` and `queue.py` make new trials, `ledger.py` records them,
and `start.py` says how they run and what on.
"""
