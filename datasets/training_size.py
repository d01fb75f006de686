"""The size that images are trained at where nobody asked for one; it follows from their headers."""

from collections.abc import Collection, Iterator, Mapping

from sweep.datasets.checks import sizes_found
from sweep.datasets.decoders.recipe import Recipe, Size
from sweep.datasets.decoders.words import caught_words
from sweep.datasets.file_tree import FileTree
from sweep.datasets.pixels.read import Read
from sweep.datasets.problems import Findings
from sweep.datasets.sources.listing import Listing

HEADER_BYTES = 1 << 16  # that are read for the header of an image; few have it further behind


def training_size(tree: FileTree, listings: Mapping[str, Listing], recipe: Recipe) -> Size | None:
    """Returns the size that the recipe proposes for these images; None for the one that they all have."""
    with caught_words() as warned, warned():  # they are said when all images are read
        return recipe.training_size(sizes_of(tree, listings, recipe))


def sizes_of(tree: FileTree, listings: Mapping[str, Listing], recipe: Recipe) -> Iterator[Size]:
    """Yields the size of each image whose header can be read: what is wrong with the others is said when all are."""
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
    """Notes the size that was proposed, and why."""
    height, width = next((each for read in reads for each in read.sizes if each), size)
    why = "differ in size" if sizes_found(reads) else f"are of {width}x{height} px, which is larger"
    findings.notes.append(
        f"Images are trained at {size[1]}x{size[0]} px, because they {why}; --image-size sets another size."
    )
