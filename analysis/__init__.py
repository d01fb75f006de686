"""Reads sweeps. `from analysis import read_sweep` is for notebooks; the rest is imported by its file."""

from sweep.analysis.notebook import read_sweep

__all__ = ["read_sweep"]
