"""The layout with a table for each split, `train.csv` and so on, with the header `id,label`, beside its images."""

from itertools import zip_longest

from sweep.datasets.file_tree import FileTree
from sweep.datasets.layouts.table_images import list_table
from sweep.datasets.problems import Findings, shown
from sweep.datasets.sources.left_out import note_left_aside, note_left_out
from sweep.datasets.sources.listing import SPLITS, Listing
from sweep.datasets.table import Table, parse_table

FORM = "tables of `id,label`"
REST = "that no table names"
SUBMISSION = "sample_submission"
STEMS = SPLITS | {SUBMISSION: (SUBMISSION,)}
SUFFIXES = (".txt", ".csv")

# The reasons why a folder or a table is left aside.
NO_TABLE = "no table names its images"
SPLIT_TABLES = (
    "a table is train, validation (or valid, val), test or sample_submission, .txt or .csv, written so; "
    "rename it to use it"
)


def is_in(tree: FileTree, root: str) -> bool:
    """Returns whether a folder of the tree has this layout."""
    return any(tree.holds(f"{root}train{suffix}") for suffix in SUFFIXES)


def list_splits(
    tree: FileTree, root: str, findings: Findings
) -> tuple[dict[str, Listing], set[str], tuple[str, ...] | None, bool]:
    """Returns the listings by split, the tables, the sample submission's ids, and whether anything is left aside."""
    tables: dict[str, Table] = {}
    table_files: set[str] = set()
    for split, stems in STEMS.items():
        files = [file for stem in stems for suffix in SUFFIXES if tree.holds(file := f"{root}{stem}{suffix}")]
        table_files |= set(files)
        if len(files) > 1:
            rule = "there must be one manifest a split"
            findings.refuse(tree.path, rule, ", ".join(files), "remove all but one")
        elif files and (table := _read(tree, files[0], findings)):
            tables[split] = table
    faulty_tables = {problem.place.rpartition(":")[0] for problem in findings.problems}

    submission = tables.pop(SUBMISSION, None)
    listings: dict[str, Listing] = {}
    for split, table in tables.items():
        if split != "test" and table.labels is None:
            findings.refuse(f"{table.place}:1", f"header must be `id,label` for {split}", "`id`", "add the labels")
            continue
        if split == "test" and table.labels is not None and tree.rules.layouts_alone:
            findings.notes.append(f"{table.place}: its labels are not used.")
        listings[split], _ = list_table(tree, table, root, findings)
    used_files = table_files.union(*(listing.files for listing in listings.values()))
    left_aside = note_left_aside(tree, root, used_files, NO_TABLE, SPLIT_TABLES, findings)
    # If there are problems, the images of a refused table would be reported as images that no table names. Newer rules
    # add this note later.
    if not findings.problems and tree.rules.layouts_alone:
        note_left_out(tree, used_files, REST, findings)

    test = tables.get("test")
    if submission and not test and tree.rules.layouts_alone:
        findings.notes.append(f"{submission.place}: is not used, for there is no table of test images; add a test.csv.")
    if submission and test and not faulty_tables & {submission.place, test.place}:
        _check_submission(submission, test, findings)
    ids = submission.ids if submission and (test or tree.rules.layouts_alone) else None
    return listings, table_files, ids, bool(left_aside)


def _read(tree: FileTree, file: str, findings: Findings) -> Table | None:
    """Returns a table, or None after adding a problem."""
    place = f"{tree.path}/{file}"
    if file not in tree.files:
        findings.refuse(place, f"manifest must be a file, it {tree.why_not(file)}", "", "replace it")
        return None
    try:
        table, problems = parse_table(tree.read(file), place)
    except ValueError as error:
        findings.refuse(place, f"manifest {error}", "", "fetch it again")
        return None
    findings.problems.extend(problems)
    return table


def _check_submission(submission: Table, test: Table, findings: Findings) -> None:
    """Checks that a sample submission has the ids of the test table, in the same order."""
    for row, (name, expected) in enumerate(zip_longest(submission.ids, test.ids)):
        if name != expected:
            line = (*submission.lines, submission.lines[-1] + 1)[row]
            rule = f"ids must be those of {test.place} in its order"
            got = f"{_quote(name)}, not {_quote(expected)}"
            findings.refuse(f"{submission.place}:{line}", rule, got, "mend one of the two")
            return


def _quote(name: str | None) -> str:
    """Returns a name as messages show it, or "none"."""
    return "none" if name is None else shown(name)
