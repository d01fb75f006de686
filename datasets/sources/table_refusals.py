"""Why tables that are there give no train images: a flag that names no column, none for train, no names of images."""

from datasets.file_tree import FileTree
from datasets.problems import Problem, shown
from datasets.sources import Nearly
from datasets.sources.images import Images
from datasets.sources.roles import column_named
from datasets.sources.table_files import TableFile
from storage.sweep_file import DataOptions


def unknown_column(
    tree: FileTree, files: list[TableFile], found: list[TableFile], options: DataOptions
) -> Problem | None:
    """Returns the problem that a flag names a column that no table has."""
    for flag in ("id_column", "label_column", "group_column", "split_column"):
        name = getattr(options, flag)
        headers = [file.columns.header or file.columns.rows[0] for file in files if file.columns.rows]
        headers += [table.roles.names for table in found if table.roles]
        if name and not any(column_named(header, name) is not None for header in headers):
            words = f"--{flag.replace('_', '-')}"
            if not headers:
                rule, got = f"{words} must name a column of a table", f"{shown(name)}, and there is no table"
                return Problem(tree.path, rule, got, f"leave {words} out, or add the table")
            got = f"{shown(name)}; {shown(files[0].file)} has {', '.join(map(shown, headers[0][:8]))}"
            return Problem(tree.path, f"{words} must be the header or the number of a column", got, "give one of these")
    return None


def no_train_table(files: list[TableFile], found: list[TableFile], images: Images) -> Nearly | None:
    """Says what is missing where tables are there, but none that is train."""
    if found:
        names = ", ".join(shown(table.columns.file) for table in found[:3])
        rule = "a table must name the train images with their labels"
        return Nearly(Problem(found[0].columns.place, rule, names, "name it with --train"))
    tables = [file for file in files if file.split == "train" and file.columns.rows and file.columns.width > 1]
    if not tables:
        return None
    columns = tables[0].columns
    got = shown(",".join(columns.header or columns.rows[0])[:80])
    for value in columns.rows[-1]:
        several = [
            file for file in images.files if value and file.rpartition("/")[2].startswith((f"{value}_", f"{value}-"))
        ]
        if len(several) > 1:
            rule, parts = "an image must be one file", ", ".join(map(shown, several[:4]))
            got = f"{len(several)} for {shown(value)}: {parts}"
            return Nearly(Problem(columns.place, rule, got, "join these into one image each, as its three channels"))
    rule = "a column must name the images by their files, with or without suffix and folder"
    return Nearly(Problem(columns.place, rule, got, "check that the images are there, or name it with --id-column"))
