"""Lists images to predict: a folder, an archive, another container, one image, or a table that names them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath

from sweep.datasets.file_tree import FileTree
from sweep.datasets.labels import id_problem
from sweep.datasets.layouts.table_images import list_table
from sweep.datasets.problems import DataError, Findings, Problem, shown
from sweep.datasets.sources.images import AmbiguousError, Images, resolved
from sweep.datasets.sources.left_out import note_left_out
from sweep.datasets.sources.listing import Listing, check_ids, list_folder
from sweep.datasets.sources.readers import Columns, read_columns
from sweep.datasets.sources.roles import Roles, find_roles
from sweep.datasets.sources.table_files import SUFFIXES
from sweep.datasets.table import parse_table
from sweep.storage.sweep_file import DataOptions


@contextmanager
def listed(path: Path, id_column: str | None, findings: Findings) -> Iterator[tuple[FileTree, Listing]]:
    """Yields the files and the images of a path; the files are open until the block ends.

    Args:
      path: the folder, container, image or table to list.
      id_column: the column of a table that names the images; None to infer it.
      findings: takes problems with single images, and notes.

    Raises:
      DataError: the path cannot be read, or is a table that neither names nor holds images.
    """
    problems: list[Problem] = []
    if os.path.isfile(path):
        with FileTree(path.parent) as tree:
            result: Listing | list[Problem] = []
            if path.suffix.lower() in SUFFIXES:
                result = _list_table_images(tree, path, id_column, findings)
            elif path.name in tree.files and tree.is_image(path.name):
                result = Listing(f"{tree.path}/", (path.name,), None, (path.name,))
            if isinstance(result, Listing):
                findings.notes.extend(tree.notes)
                yield tree, result
                return
            problems = result
    if problems and not _holds_images(path):
        raise DataError(problems)
    with FileTree(path) as tree:
        tree.open_containers(findings)
        findings.notes.extend(tree.notes)
        listing = list_folder(tree)
        check_ids(listing, findings)
        note_left_out(tree, set(listing.files), "", findings)
        yield tree, listing


def _holds_images(path: Path) -> bool:
    """Returns whether a table holds images in its rows, as a CSV of pixels does."""
    try:
        with FileTree(path) as tree:
            tree.open_containers(Findings())
            return bool(list_folder(tree).ids)
    except DataError:
        return False


def _list_table_images(
    tree: FileTree, path: Path, id_column: str | None, findings: Findings
) -> Listing | list[Problem]:
    """Returns the images that a table names, which lie in its folder; or the problems, if it names none."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return [Problem(str(path), "manifest must be readable", error.strerror or "", "check its rights")]
    table, problems = parse_table(data, str(path))
    if table is not None and not problems and id_column is None:
        exact_findings = Findings()
        listing, folder = list_table(tree, table, "", exact_findings)
        if not exact_findings.problems:
            findings.notes.extend(exact_findings.notes)
            note_left_out(tree, {*listing.files, path.name}, "that the table does not name", findings, folder)
            return listing
        if loose_listing := _match_loosely(tree, path, findings):
            return loose_listing
        findings.problems.extend(exact_findings.problems)
        findings.notes.extend(exact_findings.notes)
        return listing
    columns = read_columns(tree, path.name) if path.name in tree.files else None
    if columns is None or isinstance(columns, Problem):
        return [columns] if columns else problems
    images = Images(tree)
    roles = find_roles(columns, images, DataOptions(id_column=id_column), (), is_test=True)
    if isinstance(roles, Roles) and (table is None or id_column is not None):
        return _resolve(images, roles, findings)
    if isinstance(roles, Problem):
        return [roles]
    if table is not None:  # a table of `id,label` with errors, which the user should see
        return problems
    got = shown(",".join(columns.header or columns.rows[0])[:80])
    rule = "a column must name the images by their files, which lie in the folder of the table"
    return [Problem(columns.place, rule, got, "give another --id-column, or the folder of the images")]


def _match_loosely(tree: FileTree, path: Path, findings: Findings) -> Listing | None:
    """Returns the images of a table of `id,label` that writes their names without leading zeros or in another case.

    It returns None if the table writes even one name exactly: such a table is exact, and a name without a file is
    that of an image which does not exist.
    """
    columns = read_columns(tree, path.name) if path.name in tree.files else None
    if not isinstance(columns, Columns):
        return None
    images, loose_findings = Images(tree), Findings()
    roles = find_roles(columns, images, DataOptions(), (), is_test=True)
    if not isinstance(roles, Roles):
        return None
    try:
        listing = _resolve(images, roles, loose_findings)
    except DataError:
        return None
    pairs = zip(listing.ids, listing.files, strict=True)
    is_exact = any(PurePath(name).name in (PurePath(file).name, PurePath(file).stem) for name, file in pairs)
    if loose_findings.problems or is_exact:
        return None
    findings.notes.extend(loose_findings.notes)
    return listing


def _resolve(images: Images, roles: Roles, findings: Findings) -> Listing:
    """Returns the images that a column names; each name without an image is a problem."""
    columns = roles.columns
    ids = columns.column(roles.id)
    try:
        files = resolved(images, ids, "", None)
    except AmbiguousError as error:
        folders = " and ".join(shown(f"{folder}/") for folder in sorted(error.holding)[:3])
        rule, way_out = "its images must be in one folder only", "write the folder into the names"
        raise DataError([Problem(columns.place, rule, folders, way_out)]) from error
    for line, name, file in zip(columns.lines, ids, files, strict=True):
        if file is None:
            rule = f"image must exist, {shown(name)} is none of the files"
            findings.refuse(f"{columns.place}:{line}", rule, "", "add it or remove the row")
    rows = [row for row, file in enumerate(files) if file]
    names = (name if not id_problem(name, "") else file or name for name, file in zip(ids, files, strict=True))
    all_rows = Listing(columns.place, tuple(names), None, tuple(file or "" for file in files), columns.lines)
    listing = all_rows.take(rows)
    check_ids(listing, findings)
    return listing
