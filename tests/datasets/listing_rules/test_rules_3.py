import pytest

from sweep.datasets.listing_rules import LISTING_RULES
from sweep.datasets.load import load
from tests.trees import RGB, encoded, with_class_folders, write

GIF = encoded(RGB, "GIF")


def as_gifs(tree):
    """Returns the tree with each image as a GIF, of other pixels than the others."""
    names = [name for name in sorted(tree) if name.endswith(".png")]
    gifs = {name: encoded(RGB.rotate(3 * number), "GIF") for number, name in enumerate(names)}
    return {name.replace(".png", ".gif"): data for name, data in gifs.items()}


def test_a_data_set_of_a_format_that_came_later_is_read(tmp_path):
    data = load(write(as_gifs(with_class_folders()), tmp_path / "data"))

    assert {name: len(split.ids) for name, split in data.splits.items()} == {"train": 6, "validation": 3, "test": 3}
    assert data.image_size == (5, 7)


@pytest.mark.parametrize("listing", [2, 3])
def test_among_the_images_of_a_layout_it_is_left_out_as_before(tmp_path, listing):
    whole = load(write(with_class_folders(), tmp_path / "whole"))

    data = load(write(with_class_folders() | {"train/a/more.gif": GIF}, tmp_path / "more"), listing=listing)

    assert data.fingerprint == whole.fingerprint


@pytest.mark.parametrize(
    ("name", "head", "images"),
    [
        ("a.gif", b"", True),
        ("a.HEIC", b"", True),
        ("a.jxl", b"", True),
        ("a.ppm", b"", True),
        ("a.svg", b"GIF89a", False),
        ("a", b"GIF89a", True),
        ("a", b"\x00\x00\x00\x20ftypavif", True),
        ("a", b"\x00\x00\x00\x20ftypmp42", False),
        ("a", b"\x89PNG\r\n\x1a\n", True),
        ("a", b"P6 of the report", False),
    ],
)
def test_more_files_are_images_than_before(name, head, images):
    assert LISTING_RULES[3].is_image(name, lambda: head) is images
