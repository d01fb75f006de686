"""The form with one label per image, written as in the sample: `2216849948.jpg,4`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from sweep.datasets.labels import WITH_BOXES
from sweep.datasets.problems import shown as quoted
from sweep.datasets.submission.contract import LABEL, Cells, Form, Match, SampleContent
from sweep.datasets.submission.numbers import number
from sweep.datasets.submission.positive import class_by_name
from sweep.datasets.submission.spelling import in_the_writing_of, matched, plain
from sweep.storage.text import counted

WHOLE = re.compile(r"[+-]?\d+")
AS_FLOAT = re.compile(r"[+-]?\d+(\.0+)")


@dataclass(frozen=True)
class Label(Form):
    """The label of an image.

    Attributes:
      written: how the sample writes each class; classes that are not in it are written as they are.
      has_boxes: the sample has the place of the object after each label, which is not predicted here.
    """

    name: ClassVar[str] = "label"
    holds: ClassVar[str] = LABEL
    written: dict[str, str] = field(default_factory=dict)
    has_boxes: bool = False

    @staticmethod
    def recognised(sample: SampleContent) -> Match | str:
        """Returns the form if the cells of the only column are classes of train, in some spelling."""
        if len(sample.names) != 1:
            return ""
        values = sample.distinct()
        is_number = all(number(value) is not None for value in values)
        is_sure = not (len(sample.classes) == 2 and is_number and len(values) < 2)
        if values and all(WITH_BOXES.fullmatch(value) for value in values):
            return Match(Label(has_boxes=True))
        spelling = writing(values, sample)
        if spelling is not None:
            return Match(Label(spelling), is_sure)
        unknown = next(value for value in values if value not in sample.classes)
        if not is_number:
            classes = counted(len(sample.classes), "class", "classes")
            return f"{quoted(unknown)} for a label, which is none of the {classes}"
        if all(WHOLE.fullmatch(value) for value in values):
            return f"a number such as {quoted(unknown)} for a label, and nothing says which class has which number"
        return ""

    def cells(self, shares: np.ndarray, answers: np.ndarray, classes: Sequence[str]) -> list[Cells]:
        """Returns the predicted label of each image."""
        return [(self.written.get(classes[answer], classes[answer]),) for answer in answers]

    def problem(self, cells: Sequence[str], classes: Sequence[str]) -> str:
        """Returns what is wrong with a cell: an unknown label."""
        labels = {self.written.get(label, label) for label in classes}
        return "" if cells[0] in labels else f"{quoted(cells[0])}: labels must be classes of the sweep"

    def sentence(self) -> str:
        """Returns the phrase `the label`, with an example if the sample writes labels differently."""
        if self.has_boxes:
            return "the label, without the box that the sample has behind it"
        example = next((pair for pair in self.written.items() if pair[0] != pair[1]), None)
        return f"the label, {quoted(example[1])} for {quoted(example[0])}" if example else "the label"


def writing(values: Sequence[str], sample: SampleContent) -> dict[str, str] | None:
    """Returns how each class is written if the values are labels.

    It is empty if classes are written as they are, and None if that is not certain.
    """
    classes = sample.classes
    if all(value in classes for value in values):
        return {}
    are_numbers = all(number(value) is not None for value in values)
    if are_numbers and all(WHOLE.fullmatch(label) for label in classes):
        return _spell_numbers(values, classes)
    if are_numbers and (spelling := _spell_two_classes(values, sample)):
        return spelling
    other_numbers = [label for label in sample.numbers if label not in values]
    spelling = matched([*values, *(other_numbers if are_numbers else [])], classes, sample.numbers)
    if spelling is None and not are_numbers:
        names = [name for name in sample.numbers.values() if name not in values]
        spelling = matched([*values, *names], classes, sample.numbers) or in_the_writing_of(values, classes)
    is_sure = spelling is not None and {plain(value) for value in values} <= {plain(each) for each in spelling.values()}
    return spelling if is_sure else None


def _spell_numbers(values: Sequence[str], classes: Sequence[str]) -> dict[str, str] | None:
    """Returns how classes that are whole numbers are written: as `3`, as `03`, or as `3.0`."""
    if all(WHOLE.fullmatch(value) for value in values):
        widths = {len(value) for value in values}
        if all(value == str(int(value)) for value in values):
            return {label: str(int(label)) for label in classes if label != str(int(label))}
        return {label: label.zfill(*widths) for label in classes} if len(widths) == 1 else None
    ends = {match[1] for value in values if (match := AS_FLOAT.fullmatch(value))}
    if len(ends) != 1 or not all(AS_FLOAT.fullmatch(value) for value in values):
        return None
    return {label: f"{int(label)}{ends.copy().pop()}" for label in classes}


def _spell_two_classes(values: Sequence[str], sample: SampleContent) -> dict[str, str] | None:
    """Returns 0 and 1 as the labels of two classes, if a column or the user names the one that is 1."""
    positive = sample.positive or class_by_name(sample.names[0], sample.classes)
    if positive is None or len(sample.classes) != 2 or not set(values) <= {"0", "1"}:
        return None
    return {label: str(int(label == positive)) for label in sample.classes}
