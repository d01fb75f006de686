import cv2
import numpy as np
import pytest

from sweep.datasets.decoders import recipe
from sweep.datasets.fingerprint import fingerprint
from sweep.datasets.load import load
from sweep.datasets.problems import DataError
from sweep.storage.sweep_file import DataOptions
from tests.trees import with_class_folders, write

NOTE = (
    "Images are kept at 64x64 px for nets from scratch, because they {}. A search with pretrained nets keeps up to "
    "224x224 px. --image-size sets another size."
)


def folder(place, *sizes):
    """Writes class folders with images of these sizes, (H, W), in turn; each has other pixels."""
    tree = with_class_folders()
    for number, name in enumerate(sorted(tree)):
        if name.endswith(".png"):
            pixels = np.random.default_rng(number).integers(0, 256, (*sizes[number % len(sizes)], 3), np.uint8)
            tree[name] = cv2.imencode(".png", pixels)[1].tobytes()
    return write(tree, place / "data")


@pytest.mark.parametrize("size", [(64, 64), (20, 30), (2, 2)])
def test_images_of_one_size_up_to_64_px_are_used_as_they_are_and_nothing_is_said(tmp_path, size):
    data = load(folder(tmp_path, size))

    assert data.image_size == size
    assert not any("trained at" in note for note in data.notes)
    assert data.fingerprint == fingerprint(data, None) == load(tmp_path / "data", decoder=1).fingerprint


@pytest.mark.parametrize(
    ("sizes", "why"),
    [
        ([(65, 64)], "are of 64x65 px, which is larger"),
        ([(300, 200)], "are of 200x300 px, which is larger"),
        ([(20, 20), (20, 21)], "differ in size"),
        ([(500, 20), (20, 21)], "differ in size"),
    ],
)
def test_others_are_trained_at_64_px_and_it_is_said(tmp_path, sizes, why):
    data = load(folder(tmp_path, *sizes))

    assert data.image_size == (64, 64)
    assert NOTE.format(why) in data.notes
    assert data.fingerprint == load(tmp_path / "data", DataOptions(image_size=64)).fingerprint


def test_a_size_that_is_asked_for_is_used_and_a_bad_image_does_not_count(tmp_path):
    place = folder(tmp_path, (20, 20))
    (place / "train/a/bad.png").write_bytes(b"\x89PNG\r\n\x1a\nIHDR")

    assert load(place, DataOptions(leave_out="bad")).image_size == (20, 20)
    assert load(place, DataOptions(leave_out="bad", image_size=9)).image_size == (9, 9)


def test_under_the_first_recipe_images_must_have_one_size(tmp_path):
    with pytest.raises(DataError, match="must have the size of the others"):
        load(folder(tmp_path, (20, 20), (20, 21)), decoder=1)
    assert load(folder(tmp_path / "large", (80, 80)), decoder=1).image_size == (80, 80)


def test_how_images_are_fitted_is_a_part_of_what_the_data_is(tmp_path):
    place = folder(tmp_path, (20, 40))

    loaded = [load(place, DataOptions(image_size=8, fit=fit)) for fit in (None, "stretch", "crop", "pad")]

    prints = [data.fingerprint for data in loaded]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3
    assert [int(data.train.images[0, 0, 0, 0]) == 128 for data in loaded] == [False, False, False, True]


def test_sizes_are_told_without_looking_at_more_images_than_it_takes():
    sizes = iter([(80, 80), (20, 20)])
    assert recipe(2).training_size(sizes) == (64, 64)
    assert list(sizes) == [(20, 20)]
    assert recipe(1).training_size(sizes) is None
