"""Data as folders of splits whose files begin with their label, `train/LABEL.1.png`."""

from dataclasses import replace

from datasets.file_tree import FileTree
from datasets.problems import Findings
from datasets.sources import Source, Splits
from datasets.sources.left_out import note_left_out
from datasets.sources.listing import list_folder


def is_in(tree: FileTree, root: str) -> bool:
    inside = [name.removeprefix(f"{root}train/") for name in tree.visible if name.startswith(f"{root}train/")]
    return bool(inside) and all(name.count(".") == 2 and "/" not in name for name in inside)


def list_splits(tree: FileTree, root: str, findings: Findings) -> Splits:
    listings = {split: list_folder(tree, f"{root}{split}/") for split in ("train", "validation", "test")}
    listings = {split: listing for split, listing in listings.items() if listing.ids}
    for split in listings.keys() - {"test"}:
        labels = tuple(name.partition(".")[0] for name in listings[split].ids)
        listings[split] = replace(listings[split], labels=labels)
    note_left_out(tree, {file for listing in listings.values() for file in listing.files}, "of no split", findings)
    return Splits(listings)


SOURCE = Source("files train/LABEL.1.png", is_in, list_splits)
