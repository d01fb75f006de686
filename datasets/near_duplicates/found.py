"""What is told of the near duplicates in a data set: how many stand across its splits, and some of them to look at."""

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
      first, second: names of splits.
      pairs: of near duplicates; of an image with many, those that it is nearest to.
      of_first, of_second: how many images of the split have one in the other split.
    """

    first: str
    second: str
    pairs: Count
    of_first: Count
    of_second: Count


@dataclass(frozen=True)
class Shown:
    """An image of a pair; `label` is None where it has none."""

    split: str
    id: str
    label: str | None


@dataclass(frozen=True)
class ShownPair:
    """A pair to look at.

    Attributes:
      likeness: how alike the details are, `datasets.near_duplicates.likeness`.
      mirrored: one is the mirror image of the other.
      picture: a PNG of both side by side, in base64.
    """

    first: Shown
    second: Shown
    likeness: Share
    mirrored: bool
    picture: str


@dataclass(frozen=True)
class NearDuplicates:
    """What was found in a data set.

    Attributes:
      across: a row for each two splits across which there are some.
      shown: some of the pairs, from the most to the least alike.
      images: how many were compared.
      blank: how many were not, because they show so little.
      kept_together: sets of near duplicates that were kept on one side where the validation split was cut.
      left_out: how many images are not used because they are near duplicates of one in another split.
    """

    across: list[Across]
    shown: list[ShownPair]
    images: Count
    blank: Count
    kept_together: Count = 0
    left_out: Count = 0

    def notes(self, is_cut: bool) -> list[str]:
        """Returns the sentences, and what to do where near duplicates are used on both sides.

        Args:
          is_cut: the validation split is a part of train.
        """
        said = self.sentences()
        if self.across and not self.left_out:
            together = " and keeps them on one side of the cut" if is_cut else ""
            said.append(f"--leave-out near-duplicates takes them out of training{together}.")
        return said

    def sentences(self) -> list[str]:
        """Returns what there is to say of them, a sentence each; nothing where there is nothing to say."""
        counts = [
            f"{each.of_second:,} of {each.second} {'looks' if each.of_second == 1 else 'look'} like one of {each.first}"
            for each in self.across
        ]
        said = [f"Near duplicates across splits: {', '.join(counts)}."] if counts else []
        if self.kept_together:
            sets = counted(self.kept_together, "set of near duplicates stays", "sets of near duplicates stay")
            said.append(f"{sets} on one side of the cut.")
        if said and self.blank:
            said.append(f"Not compared, because next to nothing is on them: {counted(self.blank, 'image')}.")
        return said
