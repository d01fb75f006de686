"""Reads sweeps, and makes reports, estimates, predictions and exports from them.

`read_sweep` is for notebooks; everything else is imported from the module that has it.
"""

from sweep.analysis.notebook import read_sweep

__all__ = ["read_sweep"]
