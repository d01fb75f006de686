"""Writes what is made from the trials of a sweep: the best model, tables, predictions, exports, event files."""
