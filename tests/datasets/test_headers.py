"""What the headers of a data set say before its images are read."""

from sweep.datasets.headers import Headers, read_headers
from sweep.storage.sweep_file import DataOptions
from tests.trees import image, with_class_folders, write


def test_they_say_how_many_train_images_there_are_and_how_large_half_of_all_images_are(tmp_path):
    tree = with_class_folders(train=6, validation=2, test=2)
    sides = {name: 8 if number % 3 else 100 for number, name in enumerate(tree)}
    folder = write({name: image(number, sides[name]) for number, name in enumerate(tree)}, tmp_path / "data")

    assert read_headers(folder, DataOptions()) == Headers(6, 8)
    assert read_headers(folder, DataOptions(limit_train=4)).train == 4


def test_damaged_images_are_passed_over_for_they_are_told_when_all_are_read(tmp_path):
    tree = with_class_folders(train=6)
    tree[next(iter(tree))] = b"no image"

    assert read_headers(write(tree, tmp_path / "data"), DataOptions()) == Headers(6, 4)
