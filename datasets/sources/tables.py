"""Reads data as tables that name the images, with or without header, whatever the columns are called."""

import re
from collections import Counter
from dataclasses import dataclass, replace

from sweep.datasets.file_tree import FileTree
from sweep.datasets.folds import are_folds
from sweep.datasets.labels import id_problem, label_problem
from sweep.datasets.problems import Findings, Problem, shown
from sweep.datasets.sources import Nearly, Reading, Source
from sweep.datasets.sources.class_names import class_names
from sweep.datasets.sources.folder_rows import with_images
from sweep.datasets.sources.images import AmbiguousError, Images, folder_of, resolved
from sweep.datasets.sources.joins import with_roles
from sweep.datasets.sources.label_values import ONE_OF_SEVERAL, read_labels
from sweep.datasets.sources.listing import Listing, none_found
from sweep.datasets.sources.names import are_classes, label_in_name
from sweep.datasets.sources.readers import Columns
from sweep.datasets.sources.readers.texts import WINDOWS
from sweep.datasets.sources.roles import Roles, SeveralLabels, label_of_bits, name_of_values, numbered_splits
from sweep.datasets.sources.sample_file import SampleFile, find_sample
from sweep.datasets.sources.split_names import split_before_number, split_in, split_of
from sweep.datasets.sources.table_files import TableFile, choose_tables, note_aside, table_files
from sweep.datasets.sources.table_refusals import no_train_table, unknown_column, without_images
from sweep.storage.sweep_file import DataOptions
from sweep.storage.text import counted


def read(tree: FileTree, options: DataOptions, findings: Findings) -> Reading | Nearly | None:
    """Reads the data by its tables; None if no table names images. This is the `read` of `Source`."""
    folder = f"{options.images.strip('/')}/" if options.images else ""
    images = Images(tree, folder)
    if options.label_pattern:
        return None
    if not images.files:
        return without_images(tree, options)
    sample = find_sample(tree, options, images)
    files, problems = table_files(tree, options, sample.file if sample else "")
    names = sample.names if sample else ()
    files = [replace(file, columns=with_images(file.columns, images)) for file in files]
    candidates, role_problems = with_roles(files, images, options, names)
    if not candidates and not role_problems:
        images.know_by_rest()
        candidates, role_problems = with_roles(files, images, options, names)
    split_problems = [problem for split, problem in problems if split]
    if problem := unknown_column(tree, files, candidates, options):
        return Nearly(problem)
    if not split_problems and _are_of_folders(candidates):
        return None
    tables = choose_tables(tree, candidates, options, findings)
    if "train" not in tables:
        if problems or role_problems:
            first = [*split_problems, *(problem for _, problem in problems), *role_problems][0]
            return Nearly(first, is_damaged=bool(split_problems), is_rival=isinstance(first, SeveralLabels))
        return no_train_table(tree, files, candidates, images)
    # A table that is named like a split is reported, because its images would be missing. A table with another name may
    # not belong to the data.
    with_split = [(split_in(problem.place.rpartition("/")[2].partition(".")[0]), problem) for problem in role_problems]
    findings.problems.extend(problem for split, problem in [*problems, *with_split] if split and split not in tables)
    # With a sample submission the labels stay as they are written, because the sample expects them so.
    lists = [] if sample else [file.columns for file in files]
    reading = _Reading(tree, images, options, findings, sample, "test" in tables, lists)
    for split, table in tables.items():
        reading.add(table, split)
    result = reading.finish(frozenset(file for table in tables.values() for file in (table.file, *table.partners)))
    note_aside([table for table in candidates if table.file not in result.files], findings)
    return result


def _are_of_folders(tables: list[TableFile]) -> bool:
    """Returns whether each folder has a table without labels, as in GTSRB, so that the folders are the classes."""
    train_tables = [table for table in tables if table.split in ("train", None)]
    folders = {folder_of(table.file) for table in train_tables}
    return 1 < len(folders) == len(train_tables) and not any(map(_has_labels, train_tables))


def _has_labels(table: TableFile) -> bool:
    """Returns whether a table tells images apart by label; a list of the images of one class does not."""
    roles = table.roles
    if roles is None or roles.label is None:
        return bool(roles and roles.one_hot)
    return len(set(roles.columns.column(roles.label))) > 1


LABELS_APART = re.compile(r"[ |,;]+")
MANY = 0.05  # if so large a share of a table's rows has no label, these are not mistakes


@dataclass
class _Row:
    """The content of a row of a table."""

    id: str
    file: str
    label: str
    group: str
    fold: str
    line: int


class _Reading:
    """The listings of a data set, which is built table by table."""

    def __init__(
        self,
        tree: FileTree,
        images: Images,
        options: DataOptions,
        findings: Findings,
        sample: SampleFile | None,
        has_test: bool,
        lists: list[Columns],
    ) -> None:
        self._lists = lists  # the tables that may give the names of classes
        self._names: dict[str, str] = {}  # the names of labels that are numbers
        self._names_file = ""  # the file that gives these names
        self._has_test = has_test  # whether there is a table of test images
        self._sample_ids = sample.ids if sample else []
        self._tree, self._images, self._options, self._findings = tree, images, options, findings
        self._listings: dict[str, Listing] = {}
        self._other_ids: dict[str, int] = {}
        self._inferred: list[str] = []
        self._form = ""
        self._flag = ""
        self._train: Roles | None = None
        self._is_sure = True
        self._classes: set[str] = set()  # filled if folders or names of files give the labels
        self._are_labels_in_names = False

    def add(self, table: TableFile, split: str) -> None:
        """Adds the images of a table; a table of train may assign its images to several splits."""
        roles = table.roles
        assert roles is not None
        if split == "train":
            self._describe(roles)
            if table.partners:
                self._inferred.append(f"joined with {', '.join(map(shown, table.partners[:3]))}")
        else:
            roles = self._as_train(roles)
        splits = [split] * len(roles.columns.rows)
        if split == "train" and roles.split is not None:
            splits = self._splits_of_column(roles)
        elif split == "train" and roles.label is not None and not self._has_test:
            splits = self._splits_of_labels(roles, splits)
        rows = self._rows(roles, table, splits)
        if split == "train" and roles.split is None and table.split is None and set(splits) == {"train"}:
            splits = self._splits_of_files(rows, splits)
        for name in dict.fromkeys(splits):
            listed = [row for row, row_split in zip(rows, splits, strict=True) if row_split == name and row]
            self._list(name, roles, [row for row in listed if row])
        number = self._other_id(roles)
        if number is not None and split == "test":
            test_cells = [cells for cells, row in zip(roles.columns.rows, rows, strict=True) if row]
            self._other_ids = {cells[number]: index for index, cells in enumerate(test_cells)}

    def _other_id(self, roles: Roles) -> int | None:
        """Returns the column with the names by which the sample submission refers to the test images, or None."""
        columns = roles.columns
        for number in range(columns.width):
            if number != roles.id and set(columns.column(number)) in self._sample_ids:
                return number
        return columns.other_id_column

    def _as_train(self, roles: Roles) -> Roles:
        """Returns the roles of another table's columns: the roles that the same columns have in the train table."""
        train = self._train
        assert train is not None
        matches = _same_columns(train, roles)
        roles_of_train = (train.label, train.group, train.fold)
        label, group, fold = (None if number is None else matches.get(number) for number in roles_of_train)
        one_hot = tuple(matches[number] for number in train.one_hot if number in matches)
        one_hot = one_hot if len(one_hot) == len(train.one_hot) else ()
        return replace(roles, label=label, group=group, fold=fold, one_hot=one_hot)

    def finish(self, files: frozenset[str]) -> Reading:
        """Returns the finished reading.

        Args:
          files: the tables that were used.
        """
        listings = {split: listing for split, listing in self._listings.items() if listing.ids or split == "train"}
        inferred, rest = tuple(self._inferred), "that no table names"
        files |= {self._names_file} - {""}
        return Reading(
            self._form,
            self._flag,
            listings,
            inferred,
            files,
            other_ids=self._other_ids,
            is_sure=self._is_sure,
            rest=rest,
        )

    def _describe(self, roles: Roles) -> None:
        """Records what was inferred about the columns of the train table."""
        names, columns = roles.names, roles.columns
        self._is_sure, self._train = roles.is_sure, roles
        self._form = f"table {shown(columns.file)}"
        self._flag = f"--train {columns.file}"
        parts = [f"image: {shown(names[roles.id])}"]
        if roles.label is not None:
            parts.append(f"label: {shown(names[roles.label])}")
        elif roles.one_hot:
            parts.append(f"label: the one of {counted(len(roles.one_hot), 'column')} that is 1")
        for word, number in (("group", roles.group), ("split", roles.split), ("fold", roles.fold)):
            parts += [f"{word}: {shown(names[number])}"] if number is not None else []
        parts += ["text: Windows-1252"] if columns.encoding == WINDOWS else []
        role_columns = {roles.id, roles.label, roles.group, roles.split, roles.fold, *roles.one_hot}
        if rest := [name for number, name in enumerate(names) if number not in role_columns]:
            examples = ", ".join(map(shown, rest[:3])) + (", ..." if len(rest) > 3 else "")
            parts.append(f"not used: {counted(len(rest), 'column')} ({examples})")
        self._inferred += parts

    def _rows(self, roles: Roles, table: TableFile, splits: list[str]) -> list[_Row | None]:
        """Returns the rows of a table; None for a row that is a problem or names an image again.

        Args:
          roles: the roles of its columns.
          table: the table.
          splits: the split of each row.
        """
        columns = roles.columns
        self._findings.problems.extend(columns.problems)
        try:
            files = resolved(self._images, columns.column(roles.id), folder_of(columns.file), table.split)
        except AmbiguousError as error:
            holding = sorted((-count, folder) for folder, count in error.holding.items())[:3]
            got = " and ".join(f"{-count:,} in {shown(folder + '/')}" for count, folder in holding)
            rule, way_out = "its images must be in one folder only", f"choose with --images {holding[0][1]}"
            self._findings.refuse(columns.place, rule, got, way_out)
            return [None] * len(columns.rows)
        if len(files) > 1 and not any(files):
            self._findings.problems.append(none_found(self._tree, columns.place, columns.column(roles.id)))
            return [None] * len(columns.rows)
        labels = self._labels(roles, files, splits)
        rows: list[_Row | None] = []
        first_rows: dict[str, _Row] = {}
        repeats = 0
        for number, file in enumerate(files):
            value, line = columns.rows[number][roles.id], columns.lines[number]
            place = f"{columns.place}:{line}"
            if file is None:
                rule, way_out = f"image must exist, {shown(value)} is none of the files", "add it or remove the row"
                if splits[number] == "test":
                    self._findings.refuse(place, rule, "", way_out)
                elif self._options.leave_out:
                    label = labels[number] if labels else ""
                    problem = Problem(place, rule, "", way_out)
                    self._findings.without_image.append((splits[number], value, label, problem))
                else:
                    self._findings.refuse(place, rule, "", f"{way_out}, or give --leave-out bad")
                rows.append(None)
                continue
            name = value if not id_problem(value, "") else file
            group = "" if roles.group is None else columns.rows[number][roles.group]
            fold = "" if roles.fold is None else columns.rows[number][roles.fold]
            row = _Row(name, file, labels[number] if labels else "", group, fold, line)
            earlier = first_rows.setdefault(file, row)
            if earlier is not row and earlier.label != row.label:
                rule = f"an image must have one label, {shown(value)} has {shown(earlier.label)} on line {earlier.line}"
                self._findings.refuse(place, rule, shown(row.label), "keep one of them")
            repeats += earlier is not row and earlier.label == row.label
            rows.append(row if earlier is row else None)
        if repeats:
            self._findings.notes.append(f"{columns.place}: {counted(repeats, 'row')} named an image again.")
        return rows

    def _labels(self, roles: Roles, files: list[str | None], splits: list[str]) -> list[str] | None:
        """Returns the label of each row; None if the table has no labels. An invalid label is a problem."""
        columns, is_test = roles.columns, set(splits) == {"test"}
        if roles.one_hot:
            row_labels = [label_of_bits(roles, row) for row in columns.rows]
            if wrong := [number for number, labels in enumerate(row_labels) if len(labels) != 1]:
                got = f"{len(wrong):,} of {counted(len(row_labels), 'row')} with none or several columns that are 1"
                place = f"{columns.place}:{columns.lines[wrong[0]]}"
                self._findings.refuse(place, ONE_OF_SEVERAL, got, "name one column with --label-column")
            return [labels[0] if labels else "" for labels in row_labels]
        if roles.label is None:
            return self._labels_of_folders(roles, files, is_test)
        values = columns.column(roles.label)
        flag = self._options.labels_separator
        separator = columns.labels_separator if flag is None else flag
        labels, inferred, refusal = read_labels(values, separator, columns.place)
        folders = [folder_of(file or "").rpartition("/")[2] for file in files]
        if refusal and all(folder in LABELS_APART.split(value) for folder, value in zip(folders, values, strict=True)):
            labels, inferred, refusal = folders, ["label: the folder, which is one of several labels"], None
        if self._train is roles:
            train_labels = {label for label, split in zip(labels, splits, strict=True) if split != "test"}
            label_folders = {(label, folder) for label, folder in zip(labels, folders, strict=True) if folder}
            self._names, self._names_file, phrase = class_names(self._lists, self._images, train_labels, label_folders)
            inferred += [phrase] if phrase else []
        labels = [self._names.get(label, label) for label in labels]
        if is_test:
            return labels
        self._inferred += inferred
        if refusal:
            self._findings.problems.append(refusal)
            return labels
        for number, label in enumerate(labels):
            needs_label = bool(label) or splits[number] != "test"
            if needs_label and (problem := label_problem(label, f"{columns.place}:{columns.lines[number]}")):
                self._findings.problems.append(problem)
        return labels

    def _labels_of_folders(self, roles: Roles, files: list[str | None], is_test: bool) -> list[str] | None:
        """Returns the folder or the name of each image as its label, for tables that name images without labels."""
        labels = [folder_of(file or "").rpartition("/")[2] for file in files]
        if self._train is not None and (self._train.label is not None or self._train.one_hot) and not is_test:
            rule, got = "a table must have the column of the labels of train", ", ".join(map(shown, roles.names[:5]))
            self._findings.refuse(roles.columns.place, rule, got, "add it")
            return None
        if is_test and self._are_labels_in_names:
            labels = [label_in_name(file or "") or "" for file in files]
        if is_test:
            return labels if self._classes and self._classes.issuperset(labels) else None
        by_name = [label_in_name(file or "") or "" for file in files]
        if len(set(labels)) < 2 and are_classes(Counter(by_name)):
            labels, self._are_labels_in_names = by_name, True
            self._inferred.append(f"label: {shown(labels[0])} in {shown((files[0] or '').rpartition('/')[2])}")
        if "" in [label for label, file in zip(labels, files, strict=True) if file] or len(set(labels)) < 2:
            rule = "a column or the folders must give the label: a few values that come again and again"
            got = f"the columns {', '.join(map(shown, roles.names[:5]))}, of which none does"
            way_out = "add a column, name it with --label-column, or put the images in a folder for each class"
            if roles is self._train or not self._findings.problems:
                self._findings.refuse(roles.columns.place, rule, got, way_out)
        elif not self._are_labels_in_names:
            self._inferred.append("label: the folder")
        self._classes = {self._tree.rules.class_name(label) for label in labels}
        return [self._tree.rules.class_name(label) for label in labels]

    def _splits_of_column(self, roles: Roles) -> list[str]:
        """Returns the split of each row by the column of splits; an unknown value is a problem."""
        assert roles.split is not None
        values = roles.columns.column(roles.split)
        numbered_values = numbered_splits(name_of_values(roles.columns, roles.names[roles.split]))
        is_numbered = set(values) <= numbered_values.keys()
        splits = [numbered_values[value] if is_numbered else split_of(value) for value in values]
        kinds = Counter(values)
        if unknown := [value for value in kinds if not is_numbered and split_of(value) is None]:
            rule = f"column {shown(roles.names[roles.split])} must say train, validation or test"
            way_out = "write it so"
            if are_folds(kinds):
                way_out += f", or give --folds {len(kinds)}, which takes its values as folds"
            self._findings.refuse(roles.columns.place, rule, ", ".join(map(shown, unknown[:5])), way_out)
        split_of_value = {value: split for value, split in zip(values, splits, strict=True)}
        parts = (f"{shown(value)} is {split_of_value[value]}: {count:,}" for value, count in kinds.most_common(5))
        self._inferred.append(", ".join(parts))
        return [split or "train" for split in splits]

    def _splits_of_labels(self, roles: Roles, splits: list[str]) -> list[str]:
        """Returns the splits with the rows that have no label as test, if there are many of them."""
        empty = [not row[roles.label or 0] for row in roles.columns.rows]
        if not MANY * len(empty) <= sum(empty) < len(empty):
            return splits
        self._inferred.append(f"test: {counted(sum(empty), 'row')} without a label")
        return ["test" if is_empty else split for is_empty, split in zip(empty, splits, strict=True)]

    def _splits_of_files(self, rows: list[_Row | None], splits: list[str]) -> list[str]:
        """Returns the splits by the names of the images' folders, or of the images, if these mean several splits."""
        valid = [row for row in rows if row]
        folder_splits = {row.file: _split_of_folder(folder_of(row.file)) for row in valid}
        name_splits = {row.file: split_before_number(row.file.rpartition("/")[2]) for row in valid}
        are_labels = len({(row.label, name_splits[row.file]) for row in valid}) == len({row.label for row in valid})
        for by_file, origin in (
            (folder_splits, "the folder"),
            ({} if are_labels else name_splits, "the name of the file"),
        ):
            if None not in by_file.values() and "train" in by_file.values() and len(set(by_file.values())) > 1:
                self._inferred.append(f"split: {origin}")
                return [by_file[row.file] or "train" if row else "train" for row in rows]
        return splits

    def _list(self, split: str, roles: Roles, rows: list[_Row]) -> None:
        """Adds the listing of a split."""
        has_labels = roles.label is not None or bool(roles.one_hot) or split != "test" or bool(self._classes)
        self._listings[split] = Listing(
            roles.columns.place,
            tuple(row.id for row in rows),
            tuple(row.label for row in rows) if has_labels and all(row.label for row in rows) else None,
            tuple(row.file for row in rows),
            tuple(row.line for row in rows),
            tuple(row.group for row in rows) if roles.group is not None else None,
            tuple(row.fold for row in rows) if roles.fold is not None else None,
        )


def _split_of_folder(folder: str) -> str | None:
    """Returns the split that a part of a path means."""
    return next((split for part in folder.split("/") if (split := split_in(part))), None)


def _same_columns(train: Roles, other: Roles) -> dict[int, int]:
    """Returns for each column of the train table the same column of another table.

    Columns correspond by name; if a table has no header, by number.
    """
    if train.columns.header is None or other.columns.header is None:
        are_alike = (train.columns.width, train.id) == (other.columns.width, other.id)
        return {number: number for number in range(train.columns.width)} if are_alike else {}
    numbers = {name.strip().lower(): number for number, name in enumerate(other.names)}
    names = enumerate(name.strip().lower() for name in train.names)
    return {number: numbers[name] for number, name in names if name in numbers and numbers[name] != other.id}


SOURCE = Source("a table that names images and their labels", read)
