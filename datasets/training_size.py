"""Chooses the size at which images are trained if the user gives none, by the sizes in their headers."""

from collections.abc import Collection, Iterator, Mapping

from sweep.datasets.checks import sizes_found
from sweep.datasets.decoders.recipe import Recipe, Size
from sweep.datasets.decoders.words import caught_words
from sweep.datasets.file_tree import FileTree
from sweep.datasets.pixels.read import Read
from sweep.datasets.problems import Findings
from sweep.datasets.sources.listing import Listing

HEADER_BYTES = 1 << 16  # that are read for the header of an image; in few files it lies further behind


def training_size(tree: FileTree, listings: Mapping[str, Listing], recipe: Recipe) -> Size | None:
    """Returns the size that the recipe proposes for these images; None if it keeps the size that all of them have."""
    with caught_words() as collect, collect():  # warnings are reported once all images are read
        return recipe.training_size(sizes_of(tree, listings, recipe))


def sizes_of(tree: FileTree, listings: Mapping[str, Listing], recipe: Recipe) -> Iterator[Size]:
    """Yields the size of each image whose header can be read; the others are reported once they are decoded."""
    for listing in listings.values():
        for file in listing.files:
            try:
                yield recipe.size_of(tree.head(file, HEADER_BYTES))
            except ValueError:
                try:
                    yield recipe.size_of(tree.read(file))
                except ValueError:
                    continue


def note_size(size: Size, reads: Collection[Read], findings: Findings) -> None:
    """Adds a note with the size that was chosen, and why."""
    height, width = next((each for read in reads for each in read.sizes if each), size)
    reason = "differ in size" if sizes_found(reads) else f"are of {width}x{height} px, which is larger"
    findings.notes.append(
        f"Images are kept at {size[1]}x{size[0]} px for nets from scratch, because they {reason}. A search with "
        "pretrained nets keeps up to 224x224 px. --image-size sets another size."
    )
