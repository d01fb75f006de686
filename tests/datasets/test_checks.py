import numpy as np
import pytest

from sweep.datasets.checks import MAX_CLASSES, check_labels, sizes_found
from sweep.datasets.load import load
from sweep.datasets.pixels.read import Read
from sweep.datasets.problems import Findings
from sweep.datasets.sources.listing import Listing
from tests.trees import table, with_class_folders, with_manifests, write


@pytest.mark.parametrize("tree", [with_manifests(), with_class_folders()], ids=["tables", "class folders"])
def test_a_class_that_validation_lacks_is_said(tree, tmp_path):
    if "validation.txt" in tree:
        tree["validation.txt"] = table("id,label", "validation0.png,0", "validation1.png,1")
        del tree["train+validation/validation2.png"]
        lacking = "2"
    else:
        del tree["validation/c/validation2.png"]
        lacking = "c"

    (note,) = load(write(tree, tmp_path / "data")).notes

    assert note == (
        f"No image in validation of `{lacking}`: how often they are told right is not measured, "
        "and balanced accuracy leaves them out."
    )


def test_of_many_sizes_the_most_common_are_listed_and_the_others_counted():
    sizes = [(20 + number % 7, 30) for number in range(8)]

    found = sizes_found([Read(np.empty(0), (), [*sizes, None], {}, [], [])])

    assert found == "2 of 30x20 px, 1 of 30x21 px, 1 of 30x22 px, 1 of 30x23 px and 3 other sizes"


def listed(classes: int) -> Listing:
    """Two images of each class."""
    ids = tuple(f"{number}.png" for number in range(2 * classes))
    return Listing("train.txt", ids, tuple(str(number % classes) for number in range(2 * classes)), ids)


@pytest.mark.parametrize(("count", "problems"), [(MAX_CLASSES, 0), (MAX_CLASSES + 1, 1)])
def test_there_may_be_ten_thousand_classes(count, problems):
    findings = Findings()

    classes = check_labels({"train": listed(count)}, findings)

    assert len(classes) == count
    assert len(findings.problems) == problems
    for problem in findings.problems:
        assert str(problem).startswith("train.txt: train must have 2 to 10,000 classes, got 10001 (`0`, `1`, ")
