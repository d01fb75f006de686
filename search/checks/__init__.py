"""Is the folder of a sweep whole, and what a repair does; `command.py` is the command's body, of both.

`inspection.py` looks a folder over and calls the rest: `replay.py` and `trials.py` check the journal, `trial_folder.py`
a trial's folder, `sweep_files.py` what the sweep is run on and what it made. What they find are the objects of
`findings.py`, each with what mends it: `mending.py` mends a single trial, `identity.py` says what its folder knows. A
file that a sweep may have is named in `inspection.py`, else it is said to be foreign.
"""
