"""Estimates from the kept predictions of trials: what a choice is worth, how certain that is, what to predict with."""
