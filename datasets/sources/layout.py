"""Which images a data set has, in either of its two layouts, before any is read."""

from dataclasses import replace
from itertools import zip_longest

from datasets.file_tree import Source
from datasets.manifest import DataError, Table, id_problem, label_problem, parse_table, printable, shown
from datasets.sources.left_out import note_left_aside, note_left_out
from datasets.sources.listing import SPLITS, Listing, check_ids, list_folder
from datasets.sources.table_images import first_refused, list_table

MANIFESTS = SPLITS | {"sample_submission": ("sample_submission",)}

# Why a folder or a table is left aside, in either layout.
SPLIT_FOLDERS = "a split is a folder train, validation (or valid, val) or test, written so; rename it to use it"
NO_TABLES = "tables are not read beside folders of classes; predictions.csv has the images of test/ by their names"
NO_TABLE = "no table names its images"
SPLIT_TABLES = (
    "a table is train, validation (or valid, val), test or sample_submission, .txt or .csv, written so; "
    "rename it to use it"
)

Splits = tuple[dict[str, Listing], tuple[str, ...] | None]


def find_splits(source: Source, problems: list[str], notes: list[str]) -> Splits:
    """The splits by name (`train`, and `validation` and `test` where there are any); the ids of the sample submission.

    Problems and notes are appended; a split with a broken manifest is left out.

    Raises:
      DataError: nothing in the source looks like a data set.
    """
    names = list(filter(source.rules.is_visible, source.files))
    for root in _roots(names):
        if any(source.holds(f"{root}train{suffix}") for suffix in (".txt", ".csv")):
            return _from_manifests(source, root, problems, notes)
        if any(name.startswith(f"{root}train/") for name in names):
            return _from_class_folders(source, root, names, problems, notes), None
    rule = "data must hold train.txt or train.csv with its images, or folders train/CLASS/"
    got = ", ".join(map(shown, names[:3])) or "no files"
    raise DataError([f"{source.path}: {rule}, got {got}{first_refused(source)}; check the path"])


def _roots(names: list[str]) -> list[str]:
    """The source itself, and the one folder on top where everything is in it."""
    tops = {name.partition("/")[0] for name in names}
    return ["", f"{tops.pop()}/"] if len(tops) == 1 and "/" in names[0] else [""]


def _from_manifests(source: Source, root: str, problems: list[str], notes: list[str]) -> Splits:
    tables: dict[str, Table] = {}
    stems: dict[str, str] = {}
    used: set[str] = set()
    broken = set()
    for split, known in MANIFESTS.items():
        files = [f"{root}{stem}{suffix}" for stem in known for suffix in (".txt", ".csv")]
        files = [file for file in files if source.holds(file)]
        used |= set(files)
        if len(files) > 1:
            got = ", ".join(files)
            problems.append(f"{source.path}: there must be one manifest a split, got {got}; remove all but one")
        elif files:
            place = f"{source.path}/{files[0]}"
            if files[0] not in source.files:
                problems.append(f"{place}: manifest must be a file, it {source.why_not(files[0])}; replace it")
                continue
            try:
                table, found = parse_table(source.read(files[0]), place)
            except ValueError as error:
                problems.append(f"{place}: manifest {error}; fetch it again")
                continue
            problems.extend(found)
            if found:
                broken.add(split)
            if table is not None:
                tables[split], stems[split] = table, files[0].removeprefix(root)[:-4]

    splits = {}
    for split, table in tables.items():
        if split == "sample_submission":
            continue
        if split != "test" and table.labels is None:
            problems.append(f"{table.place}:1: header must be `id,label` for {split}, got `id`; add the labels")
            continue
        if split == "test" and table.labels is not None:
            notes.append(f"{table.place}: its labels are not used.")
        splits[split], _ = list_table(source, table, root, stems[split], problems, notes)
        used |= set(splits[split].files)
    note_left_aside(source, root, used, NO_TABLE, SPLIT_TABLES, notes)
    if not problems:  # else the images of a refused table would seem to have none
        note_left_out(source, used, "that no table names", notes)

    submission, test = tables.get("sample_submission"), tables.get("test")
    if submission and not test:
        notes.append(f"{submission.place}: is not used, for there is no table of test images; add a test.csv.")
    if submission and test and submission.ids != test.ids and not broken & {"sample_submission", "test"}:
        pairs = enumerate(zip_longest(submission.ids, test.ids))
        row, (got, wanted) = next((row, pair) for row, pair in pairs if pair[0] != pair[1])
        line = (*submission.lines, submission.lines[-1] + 1)[row]
        rule = f"ids must be those of {test.place} in its order, got {_or_none(got)}, not {_or_none(wanted)}"
        problems.append(f"{submission.place}:{line}: {rule}; mend one of the two")
    return splits, submission.ids if submission else None


def _or_none(name: str | None) -> str:
    return "none" if name is None else shown(name)


def _from_class_folders(
    source: Source, root: str, names: list[str], problems: list[str], notes: list[str]
) -> dict[str, Listing]:
    splits = {}
    used: set[str] = set()
    for split, folders in SPLITS.items():
        refused = [
            name
            for name in source.refused
            if name.startswith(root) and name.removeprefix(root).split("/")[0] in folders
        ]
        for name in filter(source.rules.is_visible, refused):
            got = source.refused[name]
            problems.append(f"{source.path}/{printable(name)}: images must be files, this {got}; replace or remove it")
        there = [f"{root}{folder}/" for folder in folders]
        there = [folder for folder in there if any(name.startswith(folder) for name in names)]
        if len(there) > 1:
            got = ", ".join(there)
            problems.append(f"{source.path}: there must be one folder a split, got {got}; remove all but one")
        elif there:
            listing = list_folder(source, there[0])
            if not listing.ids and split != "train":
                continue
            check_ids(source, listing, problems)
            if split == "train":
                _check_empty(source, listing, there[0], problems)
            splits[split] = listing if split == "test" else _labelled(source, listing, problems)
            used |= set(listing.files)
    note_left_aside(source, root, used, SPLIT_FOLDERS, NO_TABLES, notes)
    note_left_out(source, used, "in no folder of a split", notes)
    return splits


def _labelled(source: Source, listing: Listing, problems: list[str]) -> Listing:
    """Returns the listing with the first folder of each id as its class."""
    labels, rows = [], []
    for row, (name, place) in enumerate(zip(listing.ids, listing.places, strict=True)):
        label, slash, _ = name.partition("/")
        if not slash:
            problems.append(f"{place} must be in a folder named as its class, got {shown(name)}; move it into one")
        elif broken := label_problem(label):
            if not id_problem(name):
                problems.append(f"{place} must have a good label: {broken}")
        else:
            labels.append(source.rules.class_name(label))
            rows.append(row)
    return replace(listing.take(rows), labels=tuple(labels))


def _check_empty(source: Source, train: Listing, folder: str, problems: list[str]) -> None:
    """A class must not vanish because its images are somewhere else."""
    folders = filter(source.rules.is_visible, source.folders)
    inside = {name.removeprefix(folder) for name in folders if name.startswith(folder)}
    for name in sorted(inside - {name.partition("/")[0] for name in train.ids}):
        if "/" not in name:
            rule = "class must have 2 images or more, got none with an image's suffix"
            problems.append(f"{train.place}{printable(name)}: {rule}; add some or remove the folder")
