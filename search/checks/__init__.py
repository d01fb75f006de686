"""The check of a sweep's folder and its repair; `command.py` is the body of the command for both.

`inspection.py` inspects a folder and calls the rest: `replay.py` and `trials.py` check the journal, `trial_folder.py`
checks a trial's folder, and `sweep_files.py` checks the data and the results of the sweep. They report problems as the
objects of `findings.py`, each with the function that mends it. `mending.py` mends a single trial, and `identity.py`
says what the trial's folder knows. The files that a sweep may have are listed in `inspection.py`; all others are
reported as foreign.
"""
