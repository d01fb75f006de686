"""Near duplicates across the splits of a data set: counts them, keeps them together in a cut, or leaves them out."""

import base64
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import permutations

import cv2
import numpy as np

from sweep.datasets.bad_images import BadImages
from sweep.datasets.folds import units
from sweep.datasets.near_duplicates.find import Pairs, connected, find
from sweep.datasets.near_duplicates.summary import Across, NearDuplicates, ShownImage, ShownPair
from sweep.datasets.pixels.read import Read
from sweep.datasets.pixels.thumbnails import thumbnails
from sweep.datasets.problems import shown
from sweep.datasets.sources.listing import Listing

Splits = tuple[str, str]
Place = tuple[str, int]  # the split and the row of an image
PlacedPair = tuple[int, Place, Place]  # the number of a pair, and the places of its images

ACROSS: tuple[Splits, ...] = (("train", "validation"), ("train", "test"), ("validation", "test"))
TO_TEST = ACROSS[1:]  # used if train and validation are divided into folds
MOST_SHOWN = 24  # pairs in a report


@dataclass(frozen=True)
class NearFiles:
    """The near duplicates among all images that were read, by file, so that they do not depend on how splits are cut.

    Attributes:
      files: N names of files.
      pairs: pairs of numbers of these files.
    """

    files: tuple[str, ...]
    pairs: Pairs

    def sets(self, files: Iterable[str]) -> dict[str, str]:
        """Returns the set of each of `files` that has a near duplicate among them, directly or through other images."""
        names = {file: self._set_of[file] for file in files if file in self._set_of}
        counts = Counter(names.values())
        return {file: name for file, name in names.items() if counts[name] > 1}

    def grouped(self, listing: Listing) -> tuple[Listing, int]:
        """Returns the listing with groups that also hold near duplicates together, and the number of sets of these."""
        sets = self.sets(listing.files)
        if not sets:
            return listing, 0
        names = [
            (group, sets.get(file, ""))
            for group, file in zip(listing.groups or ("",) * len(listing.files), listing.files, strict=True)
        ]
        numbered = zip(units(*zip(*names, strict=True)).tolist(), names, strict=True)
        groups = tuple(f"{number}" if any(pair) else "" for number, pair in numbered)
        return replace(listing, groups=groups), len(set(sets.values()))

    def across(self, listings: Mapping[str, Listing], splits: Collection[Splits]) -> Iterator[PlacedPair]:
        """Yields the pairs across two splits of `splits`, with the image in the first split first."""
        places = {file: (split, row) for split, listing in listings.items() for row, file in enumerate(listing.files)}
        ends = zip(self.pairs.first.tolist(), self.pairs.second.tolist(), strict=True)
        for number, pair in enumerate(ends):
            pair_places = [places[self.files[end]] for end in pair if self.files[end] in places]
            for first, second in permutations(pair_places):
                if (first[0], second[0]) in splits:
                    yield number, first, second

    @cached_property
    def _set_of(self) -> dict[str, str]:
        """The name of the set of each file that has near duplicates."""
        numbers = connected(len(self.files), self.pairs.first, self.pairs.second)
        members = np.unique(np.concatenate([self.pairs.first, self.pairs.second]))
        return {self.files[member]: f"{numbers[member]}" for member in members.tolist()}


def look_for(listings: Mapping[str, Listing], reads: Mapping[str, Read]) -> NearFiles:
    """Finds near duplicates among the images that could be read."""
    rows = {
        split: np.array([row for row, digest in enumerate(read.digests) if digest], np.int64)
        for split, read in reads.items()
    }
    files = tuple(listings[split].files[row] for split, split_rows in rows.items() for row in split_rows.tolist())
    return NearFiles(files, find([read.images for read in reads.values()], [*rows.values()]))


def count_across(
    near_files: NearFiles, bad: BadImages, reads: Mapping[str, Read], splits: Collection[Splits], leaves_out: bool
) -> NearDuplicates:
    """Counts the near duplicates across splits among the images that are used, and may leave some of them out.

    Args:
      near_files: the near duplicates.
      bad: the images that are not used, which do not count.
      reads: the pixels of each split.
      splits: which of `ACROSS` count.
      leaves_out: leaves out the image of each pair that is in the first of its splits, unless the other is left out.
    """
    pairs = [
        each
        for each in near_files.across(bad.listings, splits)
        if not bad.leaves_out(*each[1]) and not bad.leaves_out(*each[2])
    ]
    across = []
    for first_split, second_split in ACROSS:
        split_pairs = [
            (first, second) for _, first, second in pairs if (first[0], second[0]) == (first_split, second_split)
        ]
        if split_pairs:
            of_first, of_second = (len(set(places)) for places in zip(*split_pairs, strict=True))
            across.append(Across(first_split, second_split, len(split_pairs), of_first, of_second))
    pairs.sort(key=lambda each: -near_files.pairs.likeness[each[0]])
    indices = np.unique(np.linspace(0, len(pairs) - 1, min(len(pairs), MOST_SHOWN)).astype(int)).tolist()
    shown_pairs = [_shown_pair(near_files.pairs, pairs[number], bad.listings, reads) for number in indices]
    blank = int(near_files.pairs.blank.sum())
    left_out = _leave_out(pairs, bad) if leaves_out else 0
    return NearDuplicates(across, shown_pairs, images=len(near_files.files) - blank, blank=blank, left_out=left_out)


def _leave_out(pairs: list[PlacedPair], bad: BadImages) -> int:
    """Leaves out images of validation, then those of train that are near to one that stays; returns how many."""
    count = 0
    for split in ("validation", "train"):
        near_to: dict[Place, list[str]] = {}
        for _, first, second in pairs:
            if first[0] == split and not bad.leaves_out(*second):
                near_to.setdefault(first, []).append(f"{second[0]} {shown(bad.listings[second[0]].ids[second[1]])}")
        for place, others in near_to.items():
            bad.leave_out_near(*place, f"looks like {', '.join(others)}")
        count += len(near_to)
    return count


def _shown_pair(
    pairs: Pairs, pair: PlacedPair, listings: Mapping[str, Listing], reads: Mapping[str, Read]
) -> ShownPair:
    """Returns a pair as a report shows it."""
    number, *places = pair
    small = [thumbnails(reads[split].images[row : row + 1])[0] for split, row in places]
    png = cv2.imencode(".png", np.concatenate(small, axis=1)[..., ::-1])[1].tobytes()
    first, second = (ShownImage(split, listings[split].ids[row], _label(listings[split], row)) for split, row in places)
    likeness, mirrored = float(pairs.likeness[number]), bool(pairs.mirrored[number])
    return ShownPair(first, second, round(min(likeness, 1.0), 3), mirrored, base64.b64encode(png).decode())


def _label(listing: Listing, row: int) -> str | None:
    """Returns the label of an image, or None."""
    return None if listing.labels is None else listing.labels[row]
