"""Configs known to be good, a portfolio a file, in the order in which they are worth trying.

`POINTS` holds a function for each default space, by its number, that returns them as points of it: parameters by the
name of the config. They are frozen as the space is, for a sweep goes on with the queue that it began with.
"""
