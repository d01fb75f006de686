"""How image files become pixels, by number: what is decoded, converted and resized by which rule.

What was ever published stays as it is, in a file of its own, for other pixels would be other data to a sweep that goes
on. Importing this imports no image library.
"""

from importlib import import_module

from sweep.datasets.decoders.recipe import Recipe

NEWEST = 2


def recipe(number: int) -> Recipe:
    """Returns a version of the rules by the number in `sweep.json`; imports the image libraries."""
    found: Recipe = import_module(f"{__name__}.recipe_{number}").RECIPE
    return found
