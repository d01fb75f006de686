"""What each version of the listing rules has to say."""

import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

Find = Callable[[str, str], str | None]


@dataclass(frozen=True)
class Rules:
    """One version of the rules.

    Attributes:
      is_visible: says by its name whether a file counts.
      is_image: says whether a file is an image; it is given the name, and a function that reads its first bytes.
      zip_names: returns for each member of a .zip its name, with `/` between folders and behind one, and whether its
        encoding is a guess.
      has_parents: in a .zip a folder exists where a file is in it; else only where it is a member itself.
      class_name: returns the class that the name of a folder means.
      layouts_alone: the two layouts are all forms of data that are known, as they were first.
      table_folder: chooses the folder of a table's images; it is given a function that finds an id in a folder, the
        ids, all files, the folder of the table, and its split. None: they must be found in one folder only.
      opens_containers: archives and other containers in the data are opened.
      is_layout_image: like `is_image`, of the images in the two layouts; None where it is the same.
    """

    is_visible: Callable[[str], bool]
    is_image: Callable[[str, Callable[[], bytes]], bool]
    zip_names: Callable[[Sequence[zipfile.ZipInfo]], list[tuple[str, bool]]]
    has_parents: bool
    class_name: Callable[[str], str]
    layouts_alone: bool
    table_folder: Callable[[Find, Sequence[str], Iterable[str], str, str], str] | None
    opens_containers: bool = True
    is_layout_image: Callable[[str, Callable[[], bytes]], bool] | None = None
