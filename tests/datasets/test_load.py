import os
import shutil
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from sweep.datasets.decoders.recipe_1 import resize
from sweep.datasets.load import load, load_images
from sweep.datasets.problems import DataError
from sweep.storage.sweep_file import DataOptions
from tests.trees import PIXELS, PNG


def zipped(folder: Path, top: str = "") -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, top + file.relative_to(folder).as_posix())
    return path


def by_class(folder: Path, validation: str | None = "val") -> Path:
    """The tiny data as folders of classes."""
    data, out = load(folder), folder.parent / "classes"
    for name, split in (("train", data.train), (validation or "train", data.valid), ("test", data.test)):
        for number, (image, file) in enumerate(zip(split.images, split.ids, strict=True)):
            place = out / name / ("" if split.labels is None else "rgb"[split.labels[number]])
            place.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(place / file), image.transpose(1, 2, 0)[..., ::-1])
    return out


def problems_of(*args, **options) -> list[str]:
    with pytest.raises(DataError) as error:
        load(*args, **options)
    return [*map(str, error.value.problems)]


def test_a_folder_a_zip_and_a_zip_with_a_folder_on_top_are_the_same_data(tiny_data):
    folder = load(tiny_data)
    assert folder.train.images.shape == (60, 3, 16, 16)
    assert folder.train.ids[:2] == ("train00.png", "train01.png")
    assert folder.train.labels.tolist() == [0, 1, 2] * 20
    assert folder.classes == ("0", "1", "2")
    assert folder.test.labels is None
    assert folder.submission.ids == folder.test.ids
    assert folder.notes == ()
    stored = cv2.imread(str(tiny_data / "test" / "test03.png"))[..., ::-1]
    np.testing.assert_array_equal(folder.test.images[3], stored.transpose(2, 0, 1))
    for top in ("", "top/"):
        same = load(zipped(tiny_data, top))
        assert same.fingerprint == folder.fingerprint
        np.testing.assert_array_equal(same.valid.images, folder.valid.images)


def test_folders_of_classes_are_the_same_images(tiny_data):
    data, table = load(by_class(tiny_data)), load(tiny_data)
    assert data.classes == ("b", "g", "r")
    assert data.train.ids[:2] == ("b/train02.png", "b/train05.png")
    assert data.test.ids == table.test.ids
    assert sorted(image.tobytes() for image in data.train.images) == sorted(i.tobytes() for i in table.train.images)
    assert data.submission is None


def test_folders_without_validation_or_test(tiny_data):
    folder = by_class(tiny_data, validation=None)
    shutil.rmtree(folder / "test")
    data = load(folder)  # `train` is the one folder on top, and no wrapping
    assert data.test is None
    assert len(data.valid.ids) == round(0.15 * 90)
    assert "No test split" in data.notes[0]


def test_a_folder_without_an_image_in_it_is_no_split(tiny_data):
    folder = by_class(tiny_data, validation=None)
    shutil.rmtree(folder / "test")
    for name in ("test", "val"):
        (folder / name).mkdir()
        (folder / name / "readme.txt").write_text("nothing yet")
    data = load(folder)
    assert (len(data.train.ids), len(data.valid.ids), data.test) == (76, 14, None)
    shutil.rmtree(folder / "train")
    (folder / "train").mkdir()
    (folder / "train/readme.txt").write_text("nothing yet")
    assert "data must hold images, got 3 files, none of which is read as an image (3 .txt)" in problems_of(folder)[0]


def edit(name: str, old: str, new: str):
    def change(folder):
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))

    return change


def put(name: str, data: bytes | None):
    def change(folder):
        (folder / name).unlink()
        if data is not None:
            (folder / name).write_bytes(data)

    return change


IMAGE = "train+validation/train01.png"


def test_problems_of_every_kind_are_told_at_once(tiny_data):
    put(IMAGE, b"")(tiny_data)
    put("test/test03.png", None)(tiny_data)
    edit("validation.txt", "validation05.png,2", "validation05.png,=2")(tiny_data)
    places = [problem.removeprefix(f"{tiny_data}/").split(" ")[0] for problem in problems_of(tiny_data)]
    assert places == ["validation.txt:7:", "test.txt:5:", "train.txt:3:"]


def test_images_of_several_sizes_are_resized_on_demand_and_listed(tiny_data):
    put(IMAGE, PNG)(tiny_data)
    data = load(tiny_data, DataOptions(8))
    assert data.train.images.shape == (60, 3, 8, 8)
    np.testing.assert_array_equal(data.train.images[1], resize(PIXELS, (8, 8)).transpose(2, 0, 1))
    assert data.notes == ("Images of several sizes: 99 of 16x16 px, 1 of 7x5 px.",)


def same_bytes(folder, old: str, new: str) -> None:
    shutil.copy(folder / old, folder / new)


def test_the_same_bytes_in_test_as_in_train_or_validation_are_a_note(tiny_data):
    same_bytes(tiny_data, "train+validation/train04.png", "test/test07.png")
    same_bytes(tiny_data, "train+validation/train05.png", "test/test08.png")
    same_bytes(tiny_data, "train+validation/validation00.png", "test/test09.png")
    assert load(tiny_data).notes[:3] == (
        "Same bytes as another image in train: 2 of test, first `test07.png` as `train04.png`.",
        "Same bytes as another image in validation: 1 of test, first `test09.png` as `validation00.png`.",
        "Near duplicates across splits: 2 of test look like one of train, 1 of test looks like one of validation.",
    )


def test_the_same_bytes_with_the_same_label_in_a_split_are_a_note(tiny_data):
    same_bytes(tiny_data, "train+validation/train04.png", "train+validation/train07.png")
    (note,) = load(tiny_data).notes
    assert note == "Same bytes as another image in train: 1 of train, first `train07.png` as `train04.png`."


def test_the_same_bytes_on_both_sides_of_our_own_cut_are_a_note(tiny_data):
    (tiny_data / "validation.txt").unlink()
    for number in range(3, 60):
        same_bytes(tiny_data, f"train+validation/train{number % 3:02}.png", f"train+validation/train{number:02}.png")
    data = load(tiny_data)
    assert (len(data.train.ids), len(data.valid.ids)) == (51, 9)
    assert [note.split(", first")[0] for note in data.notes[2:4]] == [
        "Same bytes as another image in train: 48 of train",
        "Same bytes as another image in train: 9 of validation",
    ]


def test_every_leak_is_told_up_to_the_limit_of_an_error(tiny_data):
    for number in range(30):
        same_bytes(tiny_data, f"train+validation/train{number:02}.png", f"train+validation/validation{number:02}.png")
    with pytest.raises(DataError) as error:
        load(tiny_data)
    assert len(error.value.problems) == 30
    assert str(error.value).splitlines()[20] == "... and 10 more"


def test_the_same_name_in_two_folders_is_two_images(tiny_data):
    (tiny_data / "test/test00.png").rename(tiny_data / "test/train00.png")
    for name in ("test.txt", "sample_submission.txt"):
        edit(name, "test00.png", "train00.png")(tiny_data)
    data = load(tiny_data)
    assert data.test.ids[0] == data.train.ids[0]
    assert (data.test.images[0] != data.train.images[0]).any()


def test_an_id_finds_its_file_in_either_unicode_form_and_stays_as_it_is(tiny_data):
    (tiny_data / "test/test00.png").rename(tiny_data / "test/cafe\u0301.png")
    for name in ("test.txt", "sample_submission.txt"):
        edit(name, "test00.png", "caf\u00e9.png")(tiny_data)
    data = load(tiny_data)
    assert data.test.ids[0] == "caf\u00e9.png"
    assert "Unicode" in data.notes[0]


# New images


def test_new_images_come_sorted_by_name_and_resized(tiny_data):
    (tiny_data / "notes.md").write_text("no image")
    split = load_images(tiny_data, (8, 12))
    assert split.images.shape == (100, 3, 8, 12)
    assert split.ids[0] == "test/test00.png"
    assert list(split.ids) == sorted(split.ids)
    assert load_images(zipped(tiny_data), (8, 12)).ids == split.ids


def test_new_images_of_a_manifest_keep_its_order(tiny_data):
    (tiny_data / "new.csv").write_text("id\ntest05.png\ntest01.png\n")
    split = load_images(tiny_data / "new.csv", (16, 16))
    assert split.ids == ("test05.png", "test01.png")
    np.testing.assert_array_equal(split.images, load(tiny_data).test.images[[5, 1]])


def test_every_bad_new_image_is_listed(tiny_data):
    for name in ("test/test02.png", "test/test04.png"):
        (tiny_data / name).write_bytes(PNG[:50])
    with pytest.raises(DataError) as error:
        load_images(tiny_data / "test", (16, 16))
    assert [problem.place[-10:] for problem in error.value.problems] == ["test02.png", "test04.png"]


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(DataError, match="there must be an image"):
        load_images(tmp_path, (16, 16))


@pytest.mark.skipif("SWEEP_TEST_DATA" not in os.environ, reason="SWEEP_TEST_DATA is not set to the real data's zip")
def test_the_real_data_is_read_whole():
    data = load(Path(os.environ["SWEEP_TEST_DATA"]))
    assert [len(split.ids) for split in (data.train, data.valid, data.test)] == [8000, 1173, 2819]
    assert data.train.images.shape == (8000, 3, 16, 16)
    assert data.classes == tuple("0123456")
    assert np.bincount(data.valid.labels).tolist() == [216, 201, 142, 150, 143, 145, 176]
    assert data.submission.ids == data.test.ids
    assert data.notes == ()  # few pixels of different things are no near duplicates
