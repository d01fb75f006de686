"""The report on near duplicates in a data set: how many there are across its splits, and some of them to look at."""

from dataclasses import dataclass
from typing import Annotated

from sweep.storage.schema import Rule
from sweep.storage.text import counted

Count = Annotated[int, Rule("a whole number of at least 0", lambda number: number >= 0)]
Share = Annotated[float, Rule("a number from 0 to 1", lambda number: 0 <= number <= 1)]


@dataclass(frozen=True)
class Across:
    """The near duplicates across two splits.

    Attributes:
      first: name of one split.
      second: name of the other split.
      pairs: number of pairs; for an image with many near duplicates, only the nearest ones count.
      of_first: how many images of the first split have a near duplicate in the second.
      of_second: how many images of the second split have a near duplicate in the first.
    """

    first: str
    second: str
    pairs: Count
    of_first: Count
    of_second: Count


@dataclass(frozen=True)
class ShownImage:
    """An image of a pair that is shown; `label` is None if it has none."""

    split: str
    id: str
    label: str | None


@dataclass(frozen=True)
class ShownPair:
    """A pair that is shown to the user.

    Attributes:
      first: one image.
      second: the other image.
      likeness: how similar their details are, see `datasets.near_duplicates.likeness`.
      mirrored: one is the mirror image of the other.
      picture: a PNG of both, side by side, in base64.
    """

    first: ShownImage
    second: ShownImage
    likeness: Share
    mirrored: bool
    picture: str


@dataclass(frozen=True)
class NearDuplicates:
    """The near duplicates that were found in a data set.

    Attributes:
      across: one entry for each two splits with near duplicates across them.
      shown: some of the pairs, from the most to the least similar.
      images: number of images that were compared.
      blank: number of images that were not compared, because they show too little.
      kept_together: number of sets of near duplicates that were kept on one side when the validation split was cut.
      left_out: number of images that are not used because they are near duplicates of one in another split.
    """

    across: list[Across]
    shown: list[ShownPair]
    images: Count
    blank: Count
    kept_together: Count = 0
    left_out: Count = 0

    def notes(self, is_cut: bool) -> list[str]:
        """Returns the sentences about them, and what the user can do if near duplicates are used on both sides.

        Args:
          is_cut: the validation split is a part of train.
        """
        sentences = self.sentences()
        if self.across and not self.left_out:
            ending = " and keeps them on one side of the cut" if is_cut else ""
            sentences.append(f"--leave-out near-duplicates takes them out of training{ending}.")
        return sentences

    def sentences(self) -> list[str]:
        """Returns the sentences about them; none if there is nothing to report."""
        counts = [
            f"{each.of_second:,} of {each.second} {'looks' if each.of_second == 1 else 'look'} like one of {each.first}"
            for each in self.across
        ]
        sentences = [f"Near duplicates across splits: {', '.join(counts)}."] if counts else []
        if self.kept_together:
            sets = counted(self.kept_together, "set of near duplicates stays", "sets of near duplicates stay")
            sentences.append(f"{sets} on one side of the cut.")
        if sentences and self.blank:
            sentences.append(f"Not compared, because next to nothing is on them: {counted(self.blank, 'image')}.")
        return sentences
