"""Configs known to be good, a portfolio a file, in the order in which they are worth trying.

In each file `POINTS` maps the number of a default space to a function that returns {name of the config: parameters of
that space}. They are frozen as the space is, for a sweep goes on with the queue that it began with. Which portfolios a
search begins with is decided in `search/runtime/queue.py`.
"""
