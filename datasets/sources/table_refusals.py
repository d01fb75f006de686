"""Explains why tables give no train images: a flag names no column, no table is for train, or no table names images."""

from sweep.datasets.file_tree import FileTree
from sweep.datasets.problems import Problem, shown
from sweep.datasets.sources import Nearly
from sweep.datasets.sources.images import Images
from sweep.datasets.sources.roles import column_named
from sweep.datasets.sources.table_files import TableFile, table_files
from sweep.datasets.sources.unnamed import names_no_image, ragged
from sweep.storage.sweep_file import DataOptions


def unknown_column(
    tree: FileTree, files: list[TableFile], tables: list[TableFile], options: DataOptions
) -> Problem | None:
    """Returns the problem that a flag names a column which no table has; else None."""
    for option in ("id_column", "label_column", "group_column", "split_column"):
        name = getattr(options, option)
        headers = [file.columns.header or file.columns.rows[0] for file in files if file.columns.rows]
        headers += [table.roles.names for table in tables if table.roles]
        if name and not any(column_named(header, name) is not None for header in headers):
            flag = f"--{option.replace('_', '-')}"
            if not headers:
                rule, got = f"{flag} must name a column of a table", f"{shown(name)}, and there is no table"
                return Problem(tree.path, rule, got, f"leave {flag} out, or add the table")
            got = f"{shown(name)}; {shown(files[0].file)} has {', '.join(map(shown, headers[0][:8]))}"
            return Problem(tree.path, f"{flag} must be the header or the number of a column", got, "give one of these")
    return None


def without_images(tree: FileTree, options: DataOptions) -> Nearly | None:
    """Returns what is wrong with tables in data without images; None if other files may hold the images."""
    if tree.tables or tree.arrays or tree.unread():
        return None
    tables, problems = table_files(tree, options)
    tables = [file for file in tables if file.columns.rows and file.columns.width + len(file.columns.unread) > 1]
    if not tables:
        return Nearly(problems[0][1]) if problems else None
    likeliest = min(tables, key=lambda file: (file.split != "train", file.split is not None))
    return Nearly(names_no_image(tree, likeliest.columns))


def no_train_table(tree: FileTree, files: list[TableFile], tables: list[TableFile], images: Images) -> Nearly | None:
    """Returns what is missing if there are tables, but none of train."""
    train_tables = (file for file in files if file.split == "train" and file.columns.rows)
    table = next((file for file in train_tables if file.columns.width > 1 or ragged(file.columns)), None)
    if table is None and tables:
        names = ", ".join(shown(table.columns.file) for table in tables[:3])
        rule = "a table must name the train images with their labels"
        return Nearly(Problem(tables[0].columns.place, rule, names, "name it with --train"))
    if table is None:
        return None
    columns = table.columns
    for value in columns.rows[-1]:
        channels = [
            file for file in images.files if value and file.rpartition("/")[2].startswith((f"{value}_", f"{value}-"))
        ]
        if len(channels) > 1:
            rule, parts = "an image must be one file", ", ".join(map(shown, channels[:4]))
            got = f"{len(channels)} for {shown(value)}: {parts}"
            return Nearly(Problem(columns.place, rule, got, "join these into one image each, as its three channels"))
    return Nearly(names_no_image(tree, columns))
