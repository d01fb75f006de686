"""The default spaces, by number, and what bounds any space.

What was ever published stays as it is, in a file of its own: a sweep goes on in the space that it began in, which its
`sweep.json` names. A change of what is searched is a new file `default_NUMBER.py` with the next number, its line in
`NUMBERS`, and its points in `search/portfolios/`. A family of architectures is drawn only where a space names it.
"""

from importlib import import_module

NUMBERS = (
    1,
    2,
)
DEFAULT_SPACES = {number: import_module(f"{__name__}.default_{number}").suggest for number in NUMBERS}
NEWEST = max(NUMBERS)
