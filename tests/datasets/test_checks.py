import pytest

from datasets.load import load
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
