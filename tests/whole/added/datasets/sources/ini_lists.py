"""Data whose images are listed in `images.ini`: a section a split, a line an image, `NAME.png = LABEL`."""

from configparser import ConfigParser

from sweep.datasets.file_tree import FileTree
from sweep.datasets.problems import Findings
from sweep.datasets.sources import Nearly, Reading, Source
from sweep.datasets.sources.listing import Listing
from sweep.storage.sweep_file import DataOptions


def read(tree: FileTree, options: DataOptions, findings: Findings) -> Reading | Nearly | None:
    lists = [name for name in tree.visible if name.rpartition("/")[2] == "images.ini"]
    if len(lists) != 1:
        return None
    root = lists[0].removesuffix("images.ini")
    parser = ConfigParser(allow_no_value=True)
    parser.read_string(tree.read(lists[0]).decode())
    listings = {}
    for split in parser.sections():
        ids, labels = tuple(parser[split]), tuple(parser[split].values())
        files = tuple(f"{root}images/{name}" for name in ids)
        place = f"{tree.path}/{root}images/"
        listings[split] = Listing(place, ids, None if None in labels else labels, files)
    return Reading("lists", "", listings, ("labels: images.ini",), frozenset(lists))


SOURCE = Source("images.ini with its images", read)
