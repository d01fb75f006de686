"""Finds out which form a data set has and which images it holds, before any image is read."""

from collections import Counter
from dataclasses import replace
from itertools import chain

from sweep.datasets import layouts
from sweep.datasets.file_tree import FileTree
from sweep.datasets.problems import DataError, Findings, Problem, shown
from sweep.datasets.sources import Nearly, Reading, all_sources, tables
from sweep.datasets.sources.images import folder_of, image_files
from sweep.datasets.sources.left_out import note_left_out
from sweep.datasets.sources.listing import first_refused
from sweep.datasets.sources.refusals import nothing_read, wrong_flag
from sweep.datasets.sources.samples import read_sample
from sweep.datasets.sources.table_files import table_names
from sweep.datasets.submission import Submission
from sweep.storage.sweep_file import DataOptions
from sweep.storage.text import counted

READING_OPTIONS = (
    *("id_column", "label_column", "labels_separator", "group_column", "split_column"),
    *("images", "train", "valid", "test", "label_pattern"),
)
# Beginnings of the rules that a table of another form breaks when it is read as one of `id,label`.
OF_ANOTHER_FORM = (
    "header must be",
    "text must be UTF-8",
    "row must not be blank",
    "image must exist",
    "the images that the table names must be in the data",
    "id must be a relative path",
)
MANY = 10  # test images; fewer may all be of one class by chance
RIVAL_SHARE = 0.5  # a second reading counts only if it has at least this share of the images


def find_reading(tree: FileTree, options: DataOptions, findings: Findings) -> Reading:
    """Returns how the data is read, and adds its problems and notes to the findings.

    The layouts of the first version are tried first, so that data they read stays the same; the sources follow.

    Raises:
      DataError: no form is recognised, or two readings disagree.
    """
    layout_findings = Findings()
    layout = (
        None
        if any(getattr(options, name) is not None for name in READING_OPTIONS)
        else layouts.find(tree, layout_findings)
    )
    if tree.rules.layouts_alone:
        if layout is None:
            got = ", ".join(map(shown, tree.visible[:3])) or "no files"
            rule = f"data must hold {layouts.LOOKED_FOR}"
            raise DataError([Problem(tree.path, rule, got + first_refused(tree), "check the path")])
        reading = _layout_reading(layout, layout_findings, findings)
        return _with_sample(tree, options, reading, findings) if options.submission else reading
    if layout and _is_whole(layout, layout_findings):
        reading = _layout_reading(layout, layout_findings, findings)
        if _is_of_folders(layout):
            _note_other_labels(tree, reading, findings)
    elif layout and not _may_be_another_form(layout, layout_findings):
        return _layout_reading(layout, layout_findings, findings)
    else:
        reading = _read_by_sources(tree, options, layout, layout_findings, findings)
    reading = _with_sample(tree, options, _with_test_labels(reading, findings), findings)
    if not findings.problems:  # otherwise the images of a refused table would be reported as being in no table
        used_files = reading.files.union(*(listing.files for listing in reading.listings.values()))
        note_left_out(tree, used_files, reading.rest, findings)
    return reading


def _is_whole(layout: layouts.Layout, layout_findings: Findings) -> bool:
    """Returns whether a layout explains the data completely: it has no problem, and leaves nothing aside.

    A folder `train/` may hold nothing but a container, and a validation folder may hold images that are in no class
    folder.
    """
    train, valid = layout.listings.get("train"), layout.listings.get("validation")
    if layout_findings.problems or layout.leaves_aside or train is None or not train.ids:
        return False
    return valid is None or bool(set(valid.labels or ()) & set(train.labels or ()))


def _may_be_another_form(layout: layouts.Layout, layout_findings: Findings) -> bool:
    """Returns whether the problems of a layout may mean that the data has another form."""
    train = layout.listings.get("train")
    if layout.form == layouts.OF_FOLDERS and (train is None or not train.ids):
        return True
    rules = [problem.rule for problem in layout_findings.problems]
    if train is None and any(rule.startswith("header must be") for rule in rules):
        # a table that exists but cannot be read must not be passed over
        return not any("manifest" in rule for rule in rules)
    return all(rule.startswith(OF_ANOTHER_FORM) or " found in one folder" in rule for rule in rules)


def _note_other_labels(tree: FileTree, reading: Reading, findings: Findings) -> None:
    """Adds a note if tables give other labels than the folders; those of the folders are used, as they always were."""
    other = tables.SOURCE.read(tree, DataOptions(), Findings()) if table_names(tree) else None
    if not isinstance(other, Reading):
        return
    labels, others = _labels(reading), _labels(other)
    pairs = {(labels[file], others[file]) for file in labels.keys() & others.keys()}
    if len(pairs) > max(len({label for label, _ in pairs}), len({label for _, label in pairs})):
        flags = {"train": "--train", "validation": "--valid", "test": "--test"}
        arguments = [
            f"{flags[split]} {listing.place.removeprefix(f'{tree.path}/')}" for split, listing in other.listings.items()
        ]
        examples = ", ".join(map(shown, sorted(set(others.values()))[:3]))
        findings.notes.append(
            f"The labels are those of the folders; {other.form} has others, such as {examples}: {' '.join(arguments)}."
        )


def _is_of_folders(layout: layouts.Layout | None) -> bool:
    """Returns whether a layout has no tables; True for no layout."""
    return layout is None or layout.form == layouts.OF_FOLDERS


def _read_by_sources(
    tree: FileTree, options: DataOptions, layout: layouts.Layout | None, layout_findings: Findings, findings: Findings
) -> Reading:
    """Returns the reading of a source; if no source can read the data, the reading of a layout with mistakes in it.

    Raises:
      DataError: no source reads the data, and there is no layout.
    """
    source_findings = Findings()
    train = layout.listings.get("train") if layout else None
    is_mistaken = bool(layout and train and (train.ids or layout.form != layouts.OF_FOLDERS))
    try:
        tree.open_containers(source_findings)
        if problem := wrong_flag(tree, options):
            raise DataError([problem])
        reading = _first_reading(tree, options, source_findings)
        # the layout has reported an empty folder of a class
        is_reported = any(problem.rule.startswith("class must have") for problem in layout_findings.problems)
        if reading is None and not is_mistaken and not (is_reported and image_files(tree)):
            if problems := [*source_findings.problems, *tree.unread()]:
                raise DataError(problems)
            forms = ", or ".join(source.looked_for for source in all_sources())
            raise DataError([nothing_read(tree)], f"What is read: {forms}.")
    except DataError:
        if not is_mistaken:
            raise
        reading = None
    if layout and (reading is None or (is_mistaken and source_findings.problems)):
        if not image_files(tree):
            findings.problems.extend(tree.unread())
        return _layout_reading(layout, layout_findings, findings)
    assert reading is not None
    _add(findings, source_findings)
    return reading


def _first_reading(tree: FileTree, options: DataOptions, findings: Findings) -> Reading | None:
    """Asks each source, and returns the first reading; None if no source reads the data or knows what is missing.

    Raises:
      DataError: a source knows what is missing, or two readings disagree.
    """
    readings: list[tuple[Reading, Findings]] = []
    near_misses: list[Nearly] = []
    for source in all_sources():
        source_findings = Findings()
        reading = source.read(tree, options, source_findings)
        if isinstance(reading, Reading):
            readings.append((reading, source_findings))
        elif isinstance(reading, Nearly):
            near_misses.append(reading)
            if reading.is_damaged:
                raise DataError([*findings.problems, reading.problem])
    places = {problem.place for problem in findings.problems}
    if not readings and (near_misses := [each for each in near_misses if each.problem.place not in places]):
        raise DataError([*findings.problems, near_misses[0].problem, *tree.unread()])
    if not readings:
        return None
    flag = f"--train {options.train or ''}".rstrip("/")
    by_flag = [each for each in readings if each[0].flag.rstrip("/") == flag]
    choice, source_findings = (by_flag or readings)[0]
    is_doubtful = not choice.is_sure or _has_strange_labels(choice)
    if doubts := [each.problem for each in near_misses if each.is_rival or is_doubtful][: not by_flag]:
        way_out = f"{doubts[0].way_out}, or {choice.flag} for {choice.form}"
        raise DataError([*findings.problems, replace(doubts[0], way_out=way_out)])
    for other, _ in [] if by_flag else readings[1:]:
        _check_agreement(tree, choice, other)
    if choice.inferred:
        findings.notes.append(f"Read as {choice.form}: {'; '.join(dict.fromkeys(choice.inferred))}.")
    _add(findings, source_findings)
    return choice


def _has_strange_labels(reading: Reading) -> bool:
    """Returns whether validation has labels that train does not have, as it would if the folders were patients."""
    labels = {split: set(listing.labels or ()) for split, listing in reading.listings.items()}
    return not labels.get("validation", set()) <= labels.get("train", set())


def _layout_reading(layout: layouts.Layout, layout_findings: Findings, findings: Findings) -> Reading:
    """Returns the reading of a layout; its sample submission has the ids of the test table in the same order."""
    _add(findings, layout_findings)
    ids = layout.submission_ids
    return Reading(
        layout.form,
        "",
        layout.listings,
        files=layout.files,
        submission=None if ids is None else Submission.plain(ids),
        rest=layout.rest,
    )


def _add(findings: Findings, more: Findings) -> None:
    """Adds the findings about one reading to the findings about the data set."""
    findings.problems.extend(more.problems)
    findings.notes.extend(more.notes)
    findings.without_image.extend(more.without_image)


def _with_test_labels(reading: Reading, findings: Findings) -> Reading:
    """Returns the reading with labels in its test split only if each of them is a class of train."""
    test, train = reading.listings.get("test"), reading.listings.get("train")
    if test is None or train is None:
        return reading
    classes = set(train.labels or ())
    labels = test.labels
    if labels is None and reading.form == layouts.OF_FOLDERS:
        firsts = tuple(name.partition("/")[0] for name in test.ids)
        labels = firsts if classes.issuperset(firsts) else None
    if labels and (unknown := [label for label in labels if label not in classes]):
        reason = f"{counted(len(unknown), 'image')} with a label that train does not have, such as {shown(unknown[0])}"
        findings.notes.append(f"{test.place}: its labels are not used: {reason}.")
        labels = None
    elif labels and len(labels) >= MANY and len(set(labels)) == 1 < len(classes):  # a label that only fills its place
        findings.notes.append(f"{test.place}: its labels are not used: all are {shown(labels[0])}.")
        labels = None
    elif labels:
        findings.notes.append(f"The {counted(len(labels), 'test image')} with labels are scored once, at the end.")
    return replace(reading, listings=reading.listings | {"test": replace(test, labels=labels)})


def _with_sample(tree: FileTree, options: DataOptions, reading: Reading, findings: Findings) -> Reading:
    """Returns the reading with the sample submission: its form, and the test images that it names."""
    if "train" not in reading.listings:
        return reading
    sample = read_sample(tree, options, reading, findings)
    listings = reading.listings | ({"test": sample.listing} if sample.listing else {})
    files = reading.files | ({sample.file} if sample.file else set())
    return replace(reading, listings=listings, files=files, submission=sample.submission)


def _check_agreement(tree: FileTree, first: Reading, second: Reading) -> None:
    """Checks that a second reading does not contradict the first.

    Readings agree if the second gives the images that both have the same labels, perhaps under other names. The second
    does not count if it has few images, or if the first is sure and shares an image with it. The first is right if its
    labels are the names of the folders that the shared images lie in. If they share no image, they agree if they have
    as many images of each label: then the same images lie there in two forms.

    Raises:
      DataError: they disagree.
    """
    labels, others = _labels(first), _labels(second)
    if first.is_sure and labels.keys() & others.keys():
        return
    shared_files = labels.keys() & others.keys()
    if len(others) < RIVAL_SHARE * len(labels) or (
        shared_files and all(labels[file] in folder_of(file).split("/") for file in shared_files)
    ):
        return
    if not shared_files and _counts(first) == _counts(second):
        return  # the second holds the same images in another form
    pairs = {(labels[file], others[file]) for file in shared_files}
    if shared_files and len(pairs) == len({label for label, _ in pairs}) == len({label for _, label in pairs}):
        return
    got = f"{first.form}, and {second.form}"
    if example := next((file for file in sorted(shared_files) if labels[file] != others[file]), None):
        got += f"; {shown(example)} is {shown(labels[example])} by the first and {shown(others[example])} by the second"
    rule = "data must be read in one way only"
    raise DataError([Problem(tree.path, rule, got, f"choose with {first.flag} or {second.flag}")])


def _counts(reading: Reading) -> dict[str, Counter[str]]:
    """Returns the number of images of each label in each split."""
    return {split: Counter(listing.labels or ()) for split, listing in reading.listings.items()}


def _labels(reading: Reading) -> dict[str, str]:
    """Returns the label of each labelled file, whichever split it is in."""
    pairs = (zip(listing.files, listing.labels or (), strict=False) for listing in reading.listings.values())
    return dict(chain.from_iterable(pairs))
