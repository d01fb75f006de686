"""Finds the tables among the files of a data set, and the split that each belongs to."""

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sweep.datasets.file_tree import FileTree
from sweep.datasets.problems import Findings, Problem, printable, shown
from sweep.datasets.sources.images import image_files
from sweep.datasets.sources.readers import Columns, read_columns
from sweep.datasets.sources.roles import Roles
from sweep.datasets.sources.split_names import is_of_both, is_of_splits, is_sample, split_in, words_of
from sweep.storage.sweep_file import DataOptions
from sweep.storage.text import counted

SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".lst", ".list", ".jsonl", ".ndjson", ".json", ".parquet", ".pq", ".mat")
MOST_OF_A_FOLDER = 40  # a folder with more tables has a text beside each image
NO_TABLES = {"readme", "license", "licence", "copying", "citation", "changelog", "requirements"}


@dataclass(frozen=True)
class TableFile:
    """A table of the data set.

    Attributes:
      columns: its content.
      split: the split that its name or its folder means; None if neither means one.
      roles: the roles of its columns, once they are known.
      partners: the tables whose columns were joined to it.
    """

    columns: Columns
    split: str | None
    roles: Roles | None = None
    partners: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """Its name in the tree."""
        return self.columns.file


def table_files(
    tree: FileTree, options: DataOptions, sample: str = ""
) -> tuple[list[TableFile], list[tuple[str | None, Problem]]]:
    """Returns the tables, and for each table that cannot be read its split and its problem.

    Args:
      tree: the data set.
      options: the flags.
      sample: a file to leave out, because it is the sample submission.
    """
    paths = {"train": options.train, "validation": options.valid, "test": options.test}
    paths = {split: path.strip("/") for split, path in paths.items() if path}
    tables, problems = list[TableFile](), list[tuple[str | None, Problem]]()
    for file in table_names(tree):
        if is_sample(file) or file == sample:
            continue
        split = next((split for split, path in paths.items() if path == file), None)
        if options.train in tree.files and split is None:
            continue  # the user has named another file as the table
        split = split or _split_of(file)
        columns = read_columns(tree, file)
        if columns is None and split and not tree.files[file]:
            place = f"{tree.path}/{printable(file)}"
            columns = Problem(place, "a table must have rows", "an empty file", "fetch it again, or remove it")
        if isinstance(columns, Problem):
            problems.append((split, columns))
        elif columns:
            tables.append(TableFile(columns, split))
    return tables, problems


def table_names(tree: FileTree) -> list[str]:
    """Returns the files that may be tables of images, judged by their names."""
    names = [name for name in tree.visible if name.lower().endswith(SUFFIXES)]
    stems = {file.rpartition(".")[0] for file in image_files(tree)}
    names = [name for name in names if not (name.endswith((".json", ".txt")) and name.rpartition(".")[0] in stems)]
    names = [name for name in names if not NO_TABLES & set(words_of(name.rpartition("/")[2]))]
    counts = Counter(name.rpartition("/")[0] for name in names)
    return [name for name in names if counts[name.rpartition("/")[0]] <= MOST_OF_A_FOLDER]


def _split_of(file: str) -> str | None:
    """Returns the split that the name of a table means, or else its folder; None for a table of splits."""
    folder, _, name = file.rpartition("/")
    if is_of_splits(name.rpartition(".")[0]):
        return None
    return split_in(name.rpartition(".")[0]) or split_in(folder.rpartition("/")[2])


def choose_tables(
    tree: FileTree, tables: Sequence[TableFile], options: DataOptions, findings: Findings
) -> dict[str, TableFile]:
    """Returns the table of each split.

    A table with labels is preferred, then the one with the most rows, then the one with the fewest partners. A table
    whose name means no split is the train table if there is no other. If several tables are equally good but differ,
    that is a problem.
    """
    tables = _without_descriptions(tables)
    of_split: dict[str, list[TableFile]] = {}
    for table in tables:
        of_split.setdefault(table.split or "", []).append(table)
    if "" in of_split and "train" not in of_split:
        combined = [table for table in of_split[""] if is_of_both(table.file)]
        of_split["train"] = combined or of_split[""]
        of_split[""] = [table for table in of_split[""] if table not in of_split["train"]]
    order = ("train", "validation", "test")
    train = min(of_split.get("train", []), key=lambda table: (_weight(table), len(table.partners)), default=None)
    labels = _label_names(train)
    weights = {id(table): _weight(table, labels if table.split in ("validation", "test") else None) for table in tables}
    ranks = {id(table): (weights[id(table)], len(table.partners)) for table in tables}
    choices = {split: min(of_split[split], key=lambda table: ranks[id(table)]) for split in order if split in of_split}
    rivals = {
        split: [table for table in of_split[split] if weights[id(table)] == weights[id(choices[split])]]
        for split in choices
    }
    rivals = {split: group for split, group in rivals.items() if _differ(group, labels)}
    if rivals:
        group = next(iter(rivals.values()))
        got = ", ".join(shown(table.file) for table in group[:3]) + (f" and {len(group) - 3} more" if group[3:] else "")
        paths = {"train": options.train, "validation": options.valid, "test": options.test}
        flags = {"train": "--train", "validation": "--valid", "test": "--test"}
        arguments = [f"{flags[split]} {shlex.quote(choices[split].file)}" for split in rivals if not paths[split]]
        rule = f"there must be one table for {' and for '.join(rivals)}"
        findings.refuse(tree.path, rule, got, f"choose, such as with {' '.join(arguments)}")
    return choices


def note_aside(tables: Sequence[TableFile], findings: Findings) -> None:
    """Adds a note for each table that is not used."""
    for table in tables:
        note = f"`{printable(table.file)}` is left aside, with {counted(len(table.columns.rows), 'row')}"
        findings.notes.append(f"{note}: another table names the images.")


def _without_descriptions(tables: Sequence[TableFile]) -> list[TableFile]:
    """Returns the tables without the unlabelled ones, if these lie in several folders and so only describe images."""
    unlabelled = [table for table in tables if table.split in ("train", None) and _weight(table)[0]]
    are_many = len({table.file.rpartition("/")[0] for table in unlabelled}) > 1
    return [table for table in tables if not (are_many and table in unlabelled)]


def _differ(tables: Sequence[TableFile], labels: set[str]) -> bool:
    """Returns whether tables give different images or labels."""
    if all(table.columns.rows == tables[0].columns.rows for table in tables):
        return False
    are_paths = all("/" in row[table.roles.id] for table in tables for row in table.columns.rows if table.roles)
    contents = [_labelled_images(table, labels, are_paths) for table in tables]
    return not contents[0] or any(each != contents[0] for each in contents)


def _labelled_images(table: TableFile, labels: set[str], are_paths: bool) -> list[tuple[str, ...]]:
    """Returns the image and the label of each row, sorted; empty if the table lacks a column of the label."""
    roles = table.roles
    if roles is None or not labels <= set(roles.names):
        return []
    numbers = [roles.names.index(name) for name in sorted(labels)]
    names = (row[roles.id] if are_paths else row[roles.id].rpartition("/")[2] for row in roles.columns.rows)
    return sorted(
        (name, *(row[number] for number in numbers)) for name, row in zip(names, roles.columns.rows, strict=True)
    )


def _label_names(train: TableFile | None) -> set[str]:
    """Returns the names of the train table's columns that give the label."""
    if train is None or train.roles is None:
        return set()
    numbers = train.roles.one_hot or (() if train.roles.label is None else (train.roles.label,))
    return {train.roles.names[number] for number in numbers}


def _weight(table: TableFile, labels: set[str] | None = None) -> tuple[bool, int]:
    """Returns a key that is smallest for the table to choose.

    Args:
      table: the table.
      labels: names of the columns that give the label; None to use the table's own roles.
    """
    assert table.roles is not None
    has_label = table.roles.label is not None or bool(table.roles.one_hot)
    if labels is not None:
        has_label = bool(labels) and labels <= set(table.roles.names)
    return not has_label, -len(table.columns.rows)
