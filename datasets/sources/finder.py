"""Finds the images of a data set, whichever of its forms it has, before any is read."""

from itertools import chain

from datasets import layouts
from datasets.file_tree import FileTree
from datasets.problems import DataError, Findings, Problem, shown
from datasets.sources import Nearly, Reading, Source, all_sources
from datasets.sources.listing import first_refused
from datasets.submission import Submission
from storage.sweep_file import DataOptions

WHICH = ("id_column", "label_column", "labels_separator", "group_column", "split_column")
WHERE = ("images", "train", "valid", "test", "label_pattern")


def find_reading(tree: FileTree, options: DataOptions, findings: Findings) -> Reading:
    """Returns how the data is read; its problems and notes are added to the findings.

    The layouts of before come first, so that what they read stays the same data; then the sources.

    Raises:
      DataError: no form is recognised, or two are that do not agree.
    """
    before = Findings()
    layout = None if _says_how(options) else layouts.find(tree, before)
    if layout and (tree.rules.layouts_alone or (_has_images(layout) and not before.problems)):
        return _as_before(layout, before, findings)
    if tree.rules.layouts_alone:
        raise DataError([_nothing(tree, layouts.LOOKED_FOR)])
    tree.open_containers(findings)
    sources = all_sources()
    readings: list[tuple[Reading, Findings]] = []
    nearly: list[Problem] = []
    for source in sources:
        found = Findings()
        reading = source.read(tree, options, found)
        if isinstance(reading, Reading):
            readings.append((reading, found))
        elif isinstance(reading, Nearly):
            nearly.append(reading.problem)
    if readings:
        chosen, found = readings[0]
        for other, _ in readings[1:]:
            _check_agreement(tree, chosen, other)
        _add(findings, found)
        return chosen
    if layout:  # with mistakes in it
        return _as_before(layout, before, findings)
    nearly += tree.unread()
    raise DataError([*findings.problems, *nearly] or [_nothing(tree, _looked_for(sources))])


def _has_images(layout: layouts.Layout) -> bool:
    """Says whether there is an image to train on: a folder `train/` may hold a container alone."""
    return "train" in layout.listings and bool(layout.listings["train"].ids)


def _says_how(options: DataOptions) -> bool:
    """Says whether a flag tells how the data is to be read."""
    return any(getattr(options, name) is not None for name in (*WHICH, *WHERE))


def _as_before(layout: layouts.Layout, before: Findings, findings: Findings) -> Reading:
    """Returns the reading of a layout, whose sample submission has the ids of the test table in its order."""
    _add(findings, before)
    ids = layout.submission_ids
    submission = None if ids is None else Submission.of(ids)
    return Reading(layout.form, "", layout.listings, (), layout.files, submission)


def _add(findings: Findings, more: Findings) -> None:
    findings.problems.extend(more.problems)
    findings.notes.extend(more.notes)


def _check_agreement(tree: FileTree, chosen: Reading, other: Reading) -> None:
    """Checks that the second reading gives no image another label than the first, and has no images of its own."""
    labels, others = _labels(chosen), _labels(other)
    differs = next((file for file, label in others.items() if labels.get(file, label) != label), None)
    if differs is None and (not others or others.keys() & labels.keys()):
        return
    got = f"{chosen.form}, and {other.form}"
    if differs is not None:
        got += f"; {shown(differs)} is {shown(labels[differs])} by the first and {shown(others[differs])} by the second"
    rule = "data must be read in one way only"
    raise DataError([Problem(tree.path, rule, got, f"choose with {chosen.flag} or {other.flag}")])


def _labels(reading: Reading) -> dict[str, str]:
    """Returns the label of each labelled file, whichever split it is in."""
    pairs = (zip(listing.files, listing.labels or (), strict=False) for listing in reading.listings.values())
    return dict(chain.from_iterable(pairs))


def _looked_for(sources: list[Source]) -> str:
    return ", or ".join(source.looked_for for source in sources)


def _nothing(tree: FileTree, looked_for: str) -> Problem:
    got = ", ".join(map(shown, tree.visible[:3])) or "no files"
    return Problem(tree.path, f"data must hold {looked_for}", got + first_refused(tree), "check the path")
