"""The images of a table are those that it means, or it is refused: no folder is guessed."""

import shutil

import pytest

from sweep.datasets.load import load, load_images
from sweep.datasets.problems import DataError
from tests.trees import image, pack, table, with_manifests, write


def overlapping() -> dict[str, bytes]:
    """Names that begin again in each split."""
    tree = {}
    for split, count, seed in (("train", 9, 0), ("validation", 6, 100), ("test", 6, 200)):
        names = [f"{number:04}.png" for number in range(count)]
        tree |= {f"{split}/{name}": image(seed + number) for number, name in enumerate(names)}
        rows = names if split == "test" else [f"{name},{'abc'[number % 3]}" for number, name in enumerate(names)]
        tree[f"{split}.csv"] = table("id" if split == "test" else "id,label", *rows)
    return tree


def moved(tree: dict[str, bytes], old: str, new: str) -> dict[str, bytes]:
    return {new + name.removeprefix(old) if name.startswith(old) else name: data for name, data in tree.items()}


def digests(path) -> tuple[str, ...]:
    return load_images(path, (4, 4)).digests


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_table_alone_takes_the_images_of_its_own_split(split, tmp_path):
    folder = write(overlapping(), tmp_path / "data")

    assert digests(folder / f"{split}.csv") == digests(folder / split)[: 9 if split == "train" else 6]


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize("top", ["", "top/"])
def test_each_split_has_its_own_images_though_their_names_are_the_same(packed, top, tmp_path):
    tree = overlapping()
    path = pack(tree, tmp_path / "data.zip", top) if packed else write(tree, tmp_path / "data" / top).parent
    path = path if packed or top else tmp_path / "data"

    data = load(path)

    folder = write(tree, tmp_path / "plain")
    for name, split in data.splits.items():
        assert split.digests == digests(folder / name)


@pytest.mark.parametrize(("stem", "name"), [("val", "val"), ("valid", "valid"), ("val", "validation")])
def test_any_name_of_a_split_is_the_name_of_its_folder(stem, name, tmp_path):
    tree = moved(overlapping(), "validation/", f"{name}/")
    tree[f"{stem}.csv"] = tree.pop("validation.csv")
    folder = write(tree, tmp_path / "data")

    assert load(folder).valid.digests == digests(folder / name)
    assert digests(folder / f"{stem}.csv") == digests(folder / name)


def test_a_folder_within_that_of_the_split_is_its_own(tmp_path):
    tree = overlapping()
    for split in ("train", "validation", "test"):
        tree = moved(tree, f"{split}/", f"{split}/images/")
    folder = write(tree, tmp_path / "data")

    assert load(folder).valid.digests == digests(folder / "validation")


def test_a_folder_that_names_another_split_is_not_taken(tmp_path):
    tree = overlapping()
    for split, name in (("train", "train_images"), ("validation", "val_images"), ("test", "test_images")):
        tree = moved(tree, f"{split}/", f"{name}/")
    folder = write(tree, tmp_path / "data")

    data = load(folder)

    assert data.valid.digests == digests(folder / "val_images")
    assert data.test.digests == digests(folder / "test_images")


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize("other", ["annotations", "__old", "zoo", "images/old"])
def test_masks_beside_images_are_refused_with_both_folders(packed, other, tmp_path):
    tree = moved(with_manifests(), "train+validation/", "images/")
    tree |= moved({name: data[::-1] for name, data in tree.items() if "images/" in name}, "images/", f"{other}/")
    path = pack(tree, tmp_path / "data.zip") if packed else write(tree, tmp_path / "data")

    with pytest.raises(DataError) as error:
        load(path)

    for problem in map(str, error.value.problems):
        assert "must be found in one folder only, got" in problem
        assert "in `images/`" in problem
        assert f"in `{other}/`" in problem
    assert "call the right folder `train/`, or write the folder into the ids" in str(error.value.problems[0])


def test_an_image_less_makes_no_answer_of_the_masks(tmp_path):
    tree = moved(with_manifests(), "train+validation/", "images/")
    tree |= moved({name: image(99 + len(name)) for name in tree if "images/" in name}, "images/", "masks/")
    del tree["images/train3.png"]

    with pytest.raises(DataError, match="got 6 in `masks/` and 5 in `images/`"):
        load(write(tree, tmp_path / "data"))


@pytest.mark.parametrize("stray", ["sample/", "a/", "images/old/", "top/a/"])
def test_a_stray_copy_is_noted_and_refuses_nothing(stray, tmp_path):
    tree = moved(with_manifests(), "train+validation/", "images/")
    expected = load(write(tree, tmp_path / "plain"))
    folder = write(tree | {f"{stray}train0.png": image(99)}, tmp_path / "data")

    data = load(folder)

    assert data.fingerprint == expected.fingerprint
    assert data.notes == (
        f"{folder}/train.txt: its images are those in `images/`; others of these names are left out: 1 in `{stray}`.",
        f"Left out: 1 image that no table names (1 in `{stray}`).",
    )


@pytest.mark.parametrize(("copies", "is_refused"), [(2, False), (3, True)])
def test_half_of_the_images_are_no_stray_copies(copies, is_refused, tmp_path):
    tree = moved(with_manifests(), "train+validation/", "images/")
    tree |= {f"other/train{number}.png": image(90 + number) for number in range(copies)}
    folder = write(tree, tmp_path / "data")

    if not is_refused:
        assert len(load(folder).train.ids) == 6
        return
    with pytest.raises(DataError, match="got 6 in `images/` and 3 in `other/`"):
        load(folder)


def test_of_many_folders_that_could_be_meant_the_fullest_are_shown(tmp_path):
    tree = {f"{name:03}/{number}.png": image(0) for name in range(20) for number in range(6 if name == 17 else 4)}
    tree["new.csv"] = table("id", *(f"{number}.png" for number in range(6)))
    notes: list[str] = []

    with pytest.raises(DataError) as error:
        load_images(write(tree, tmp_path / "data") / "new.csv", (4, 4), notes)

    assert "got 6 in `017/`, 4 in `000/`, 4 in `001/` and 17 more folders; call" in str(error.value)
    assert notes == []  # which of the images are left out is not known


@pytest.mark.parametrize("other", [".thumbs", "__MACOSX", "images/.old", "@eaDir", "a/.ipynb_checkpoints"])
def test_a_hidden_folder_is_never_an_answer(other, tmp_path):
    tree = moved(with_manifests(), "train+validation/", "images/")
    folder = write(tree, tmp_path / "data")
    expected = load(folder).train.digests
    write({f"{other}/{number}": b"" for number in range(2)}, folder)
    for name in [name for name in tree if name.startswith("images/")]:
        shutil.copy(folder / "test/test0.png", folder / other / name.removeprefix("images/"))

    data = load(folder)

    assert data.train.digests == expected
    assert data.notes == ("Left out: 11 hidden files.",)


def test_a_hidden_folder_alone_is_no_answer_either(tmp_path):
    tree = moved(with_manifests(), "train+validation/", ".images/")
    with pytest.raises(DataError, match=r"none is, got `train0\.png` and 5 more; the data holds 3 images"):
        load(write(tree, tmp_path / "data"))


def test_ids_with_their_folder_need_no_guess(tmp_path):
    tree = {f"{folder}/{n}.png": image(n, 4 + len(folder)) for n in range(6) for folder in ("images", "masks")}
    tree["new.csv"] = table("id", *(f"images/{n}.png" for n in range(6)))
    folder = write(tree, tmp_path / "data")

    assert digests(folder / "new.csv") == digests(folder / "images")


def test_a_table_among_its_images_means_those_beside_it(tmp_path):
    tree = {f"{place}{n}.png": image(n, 4 + len(place)) for n in range(6) for place in ("", "masks/")}
    tree["new.csv"] = table("id", *(f"{n}.png" for n in range(6)))
    folder = write(tree, tmp_path / "data")

    split = load_images(folder / "new.csv", (4, 4))

    assert split.digests == digests(folder)[:6]


def test_an_image_that_only_another_split_has_is_missing(tmp_path):
    tree = overlapping()
    del tree["validation/0005.png"]
    folder = write(tree, tmp_path / "data")

    with pytest.raises(DataError) as error:
        load_images(folder / "validation.csv", (4, 4))

    assert [*map(str, error.value.problems)] == [
        f"{folder}/validation.csv:7: image must exist, `0005.png` is in `test/`, not in `validation/`; "
        "add it or remove the row"
    ]


@pytest.mark.parametrize("left", [["train"], ["train", "test"]])
def test_the_images_of_another_split_stand_in_for_no_lost_ones(left, tmp_path):
    folder = write(overlapping(), tmp_path / "data")
    for split in {"train", "validation", "test"} - set(left):
        shutil.rmtree(folder / split)
    (folder / "validation").mkdir()

    with pytest.raises(DataError):
        load_images(folder / "validation.csv", (4, 4))


def test_the_same_name_with_another_suffix_is_another_image(tmp_path):
    tree = {
        "images/1.png": image(1),
        "images/1.jpg": image(2),
        "other/1.jpg": image(3),
        "new.csv": table("id", "1.png"),
    }
    folder = write(tree, tmp_path / "data")

    assert digests(folder / "new.csv") == digests(folder / "images")[1:]
