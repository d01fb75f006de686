"""The decoding recipes by number: how image files become pixels.

Recipes that were once published never change, and each has its own file: with other pixels, a sweep that is continued
would have other data. Importing this module imports no image library.
"""

from importlib import import_module

from sweep.datasets.decoders.recipe import Recipe

NEWEST = 2


def recipe(number: int) -> Recipe:
    """Returns the recipe with the number that is in `sweep.json`; imports the image libraries."""
    result: Recipe = import_module(f"{__name__}.recipe_{number}").RECIPE
    return result
