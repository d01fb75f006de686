"""The default spaces, by number, and what bounds any space.

What was ever published stays as it is, in a file of its own: a sweep goes on in the space that it began in, which its
`sweep.json` names. A change of what is searched is a new file `default_NUMBER.py` with the next number, its line in
`DEFAULT_SPACES`, and its points in `search/portfolios/`. A family of architectures is drawn only where a space names
it.
"""

from search.spaces import default_1, default_2

DEFAULT_SPACES = {1: default_1.suggest, 2: default_2.suggest}
NEWEST = max(DEFAULT_SPACES)
