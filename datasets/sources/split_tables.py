"""Tables that label the images of one flat folder, such as validation, while train has folders of classes."""

from collections.abc import Collection

from sweep.datasets.file_tree import FileTree
from sweep.datasets.problems import Problem
from sweep.datasets.sources.images import AmbiguousError, Images, folder_of, resolved
from sweep.datasets.sources.listing import Listing
from sweep.datasets.sources.readers import Columns
from sweep.datasets.sources.roles import Roles, find_roles
from sweep.datasets.sources.table_files import table_files
from sweep.storage.sweep_file import DataOptions


def labelled_by_table(tree: FileTree, split: str, folder: str, classes: Collection[str]) -> Listing | None:
    """Returns the images of a flat folder with the labels of a table of their split; None if no table fits.

    Args:
      tree: the data set.
      split: the split of the folder.
      folder: its path, with `/` at its end.
      classes: the classes of train, to which each label must belong.
    """
    images = Images(tree, folder)
    for table in table_files(tree, DataOptions())[0]:
        if table.split != split:
            continue
        roles = find_roles(table.columns, images, DataOptions(), (), is_test=True)
        if roles is None or isinstance(roles, Problem):
            continue
        label = _label_column(roles.columns, roles, classes)
        if label is None:
            continue
        try:
            files = resolved(images, roles.columns.column(roles.id), folder_of(table.file), split)
        except AmbiguousError:
            continue
        if set(files) != set(images.files) or len(files) != len(images.files):
            continue
        ids, labels = roles.columns.column(roles.id), roles.columns.column(label)
        paths = tuple(file or "" for file in files)
        return Listing(roles.columns.place, tuple(ids), tuple(labels), paths, roles.columns.lines)
    return None


def _label_column(columns: Columns, roles: Roles, classes: Collection[str]) -> int | None:
    """Returns the column all of whose values are classes of train."""
    for number in range(columns.width):
        if number != roles.id and all(row[number] in classes for row in columns.rows):
            return number
    return None
