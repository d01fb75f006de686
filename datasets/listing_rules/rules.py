"""The contract of listing rules, which each version of them fulfils."""

import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

Find = Callable[[str, str], str | None]


@dataclass(frozen=True)
class Rules:
    """One version of the listing rules.

    Attributes:
      is_visible: takes the name of a file; returns whether the file counts.
      is_image: takes the name of a file and a function that reads its first bytes; returns whether it is an image.
      zip_names: takes the members of a .zip; returns for each its name, with `/` between folders and at the end of a
        folder, and whether its encoding is a guess.
      has_parents: True if a folder in a .zip exists as soon as a file is in it; False if it must be a member itself.
      class_name: takes the name of a folder; returns the class that it means.
      layouts_alone: the two layouts are the only forms of data that are known, as in the first version.
      table_folder: chooses the folder of a table's images. It takes a function that finds an id in a folder, the ids,
        all files, the folder of the table, and its split. None: the images must be in one folder only, see
        `list_table`.
      opens_containers: archives and other containers are opened.
      is_layout_image: like `is_image`, for images in the two layouts; None if it is the same.
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
