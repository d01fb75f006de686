"""A distributed hyperparameter search for image classifiers.

    from sweep import read_sweep, run_sweep

    sweep = run_sweep(data="photos", trials=50)

In a checkout, the packages below this one are links to folders beside it; in an installation they lie in this folder.
Importing this package imports nothing heavy.
"""

from sweep.analysis.notebook import read_sweep
from sweep.search.runtime.from_python import SearchFailed, run_sweep

__all__ = ["SearchFailed", "read_sweep", "run_sweep"]
