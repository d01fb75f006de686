"""The default spaces, by number.

What was ever published stays as it is, in a file of its own: a sweep goes on in the space that it began in, which its
`sweep.json` names. A change of what is searched is a new file with the next number.
"""

from search.spaces import default_1, default_2

NEWEST = 2
DEFAULT_SPACES = {1: default_1.suggest, 2: default_2.suggest}
