"""Configs known to be good, a portfolio a file: the contract is `portfolio.Portfolio`.

The points of a default space are frozen as it is: a sweep goes on with the queue that it began with.
"""

from search.portfolios import published, references

PORTFOLIOS = (published.PORTFOLIO, references.PORTFOLIO)
