"""The course of a sweep from its start to its results, whatever its trials run on.

`driver.py` holds the lock. `request.py` turns a command into a search; `sweep_kinds.py` and `retraining.py` hold what
distinguishes a search, a repeat and a refit. `sweep.py` begins a sweep or continues it, and `ending.py` writes its
results. In between, `bridge.py` decides what runs next: `draws.py` and `queue.py` make new trials, `ledger.py` records
them, and `start.py` says how and where they run.
"""
