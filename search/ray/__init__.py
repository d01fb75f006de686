"""Runs the trials of a sweep on Ray: starts or joins it, checks its nodes, places the trials, and watches over it."""
