"""Labels in the names of files are found where names begin with them, or where a pattern says."""

import pytest

from sweep.datasets.problems import DataError
from tests.datasets.sources.reading import reading_of
from tests.trees import image


def files(*names):
    return {name: image(number) for number, name in enumerate(names)}


CATS_AND_DOGS = files(
    *(f"train/{each}.{n}.jpg" for each in ("cat", "dog") for n in range(3)), "test/1.jpg", "test/2.jpg"
)


def test_names_that_begin_with_few_words_and_end_in_numbers_are_labels(tmp_path):
    reading, findings = reading_of(CATS_AND_DOGS, tmp_path / "data")

    assert reading.listings["train"].labels == ("cat",) * 3 + ("dog",) * 3
    assert reading.listings["train"].ids[0] == "cat.0.jpg"
    assert reading.listings["test"].labels is None
    assert findings.notes[0] == "Read as names of files: label: `cat` in `cat.0.jpg`."


@pytest.mark.parametrize("names", [("IMG_001", "IMG_002"), ("a1", "b2", "c3"), ("img_1", "scan_1", "img_2", "scan_2")])
def test_names_of_cameras_and_names_that_all_differ_are_no_labels(names, tmp_path):
    with pytest.raises(DataError, match="each image to train on must have a label"):
        reading_of(files(*(f"{name}.png" for name in names)), tmp_path / "data")


def test_a_pattern_says_where_the_label_stands(tmp_path):
    tree = files(*(f"faces/{n}_{'fm'[n % 2]}_{n}.png" for n in range(6)))
    reading, _ = reading_of(tree, tmp_path / "data", label_pattern=r"_([fm])_")

    assert reading.listings["train"].labels == ("f", "m") * 3


def test_a_pattern_chooses_among_folders(tmp_path):
    tree = files(*(f"animals/{kind}/{n}.png" for kind in ("cats/lion", "cats/lynx", "dogs/wolf") for n in range(2)))
    reading, _ = reading_of(tree, tmp_path / "data", label_pattern=r"([^/]+)/[^/]+$")

    assert set(reading.listings["train"].labels) == {"lion", "lynx", "wolf"}


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", "--label-pattern must be a regular expression"),
        ("cat", "--label-pattern must have a group, which is the label"),
        ("(zebra)", r"--label-pattern \(zebra\) must be found in names of images"),
        ("(cat)", "--label-pattern must be found in the name of each train image"),
    ],
)
def test_a_pattern_that_does_not_fit_is_refused(pattern, message, tmp_path):
    with pytest.raises(DataError, match=message):
        reading_of(CATS_AND_DOGS, tmp_path / "data", label_pattern=pattern)


def test_parts_of_names_that_may_be_labels_are_named_with_their_patterns(tmp_path):
    tree = files(*(f"faces/{20 + n}_{n % 2}_{n % 3}_{n}.png" for n in range(12)))
    with pytest.raises(DataError, match="a part of the names may be the label") as error:
        reading_of(tree, tmp_path / "data")

    pattern = error.value.problems[0].way_out.split("'")[1]
    reading, _ = reading_of(tree, tmp_path / "again", label_pattern=pattern)
    assert set(reading.listings["train"].labels) == {"0", "1"}


def test_masks_of_the_same_names_in_another_folder_are_no_images_to_train_on(tmp_path):
    tree = files(*(f"{folder}/{kind}_{n}.png" for folder in ("images", "masks") for kind in "ab" for n in range(3)))
    with pytest.raises(DataError, match=r"images of the same names must be in one folder, got `images/` and `masks/`"):
        reading_of(tree, tmp_path / "data")
    reading, _ = reading_of(tree, tmp_path / "again", images="images")

    assert reading.listings["train"].files == tuple(sorted(f"images/{kind}_{n}.png" for kind in "ab" for n in range(3)))


def test_evaluation_is_the_test_where_validation_is_there_as_well(tmp_path):
    splits = {"training": 3, "validation": 2, "evaluation": 2}
    tree = files(*(f"{split}/{kind}_{n}.png" for split, count in splits.items() for kind in "ab" for n in range(count)))
    reading, _ = reading_of(tree, tmp_path / "data")

    assert {split: len(listing.ids) for split, listing in reading.listings.items()} == {
        "train": 6,
        "validation": 4,
        "test": 4,
    }
