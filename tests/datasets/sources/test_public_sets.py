"""Public data sets whose files say more than one thing, each as it is downloaded, small."""

import numpy as np
import pytest

from sweep.datasets.problems import DataError
from tests.datasets.sources.reading import reading_of, splits_of
from tests.datasets.trees.containers import csv_of
from tests.trees import image, table


def photographs(*names):
    return {name: image(number) for number, name in enumerate(names)}


def pixels(side, channels, labels):
    header = [*(f"pixel{n:04d}" for n in range(side * side * channels)), "label"]
    rows = np.random.default_rng(side).integers(0, 256, (len(labels), len(header)))
    rows[:, -1] = labels
    return csv_of(header, rows.tolist())


# HAM10000: photographs in two folders, which are there twice, their table, and their pixels at two sizes.
KINDS = ("nv", "mel", "bkl")
SKIN = [f"HAM10000_images_part_{1 + n // 6}/ISIC_{n:07d}.jpg" for n in range(12)]
HAM10000 = (
    photographs(*SKIN)
    | {name.replace("HAM", "ham"): data for name, data in photographs(*SKIN).items()}
    | {
        "HAM10000_metadata.csv": table(
            "lesion_id,image_id,dx,age", *(f"HAM_{n // 2},ISIC_{n:07d},{KINDS[n // 2 % 3]},{n}.5" for n in range(12))
        ),
        "hmnist_8_8_L.csv": pixels(8, 1, [n // 2 % 3 for n in range(12)]),
        "hmnist_8_8_RGB.csv": pixels(8, 3, [n // 2 % 3 for n in range(12)]),
    }
)


def test_photographs_with_a_table_come_before_their_pixels_at_several_sizes(tmp_path):
    reading, findings = reading_of(HAM10000, tmp_path / "data")

    assert splits_of(reading) == {"train": (tuple(SKIN), tuple(KINDS[n // 2 % 3] for n in range(12)))}
    assert findings.problems == []


def test_a_flag_chooses_the_pixels_at_one_size(tmp_path):
    reading, findings = reading_of(HAM10000, tmp_path / "data", train="hmnist_8_8_RGB.csv")

    files, labels = splits_of(reading)["train"]
    assert files == tuple(f"hmnist_8_8_RGB.csv/{n:02d}" for n in range(12))
    assert labels == tuple(str(n // 2 % 3) for n in range(12))
    assert findings.problems == []


def test_pixels_at_several_sizes_alone_are_refused_with_the_flag_that_chooses(tmp_path):
    alone = {name: data for name, data in HAM10000.items() if name.startswith("hmnist")}

    with pytest.raises(DataError, match=r"the same images must be there at one size only.*--train hmnist_8_8_RGB.csv"):
        reading_of(alone, tmp_path / "data")


def test_two_tables_that_say_the_same_of_the_test_images_are_no_choice(tmp_path):
    """GTSRB: `Test.csv` has paths and commas, `Test/GT-final_test.csv` names and semicolons."""
    train = [f"Train/{n % 2}/{n:05d}.png" for n in range(8)]
    test = [f"Test/{n:05d}.png" for n in range(4)]
    tables = {
        "Train.csv": table("Width,ClassId,Path", *(f"{30 + n},{n % 2},{name}" for n, name in enumerate(train))),
        "Test.csv": table("Width,ClassId,Path", *(f"{30 + n},{n % 2},{name}" for n, name in enumerate(test))),
        "Test/GT-final_test.csv": table("Filename;Width;ClassId", *(f"{n:05d}.png;{30 + n};{n % 2}" for n in range(4))),
        "Meta.csv": table("Path,ClassId,ShapeId", "Meta/0.png,0,1", "Meta/1.png,1,0"),
    }
    reading, findings = reading_of(photographs(*train, *test, "Meta/0.png", "Meta/1.png") | tables, tmp_path / "data")

    assert splits_of(reading) == {"train": (tuple(train), ("0", "1") * 4), "test": (tuple(test), ("0", "1") * 2)}
    assert findings.problems == []


# Stanford Online Products: products of four kinds, a folder each.
PRODUCTS = [f"{('chair', 'sofa')[n // 4]}_final/{n // 2}_{n % 2}.JPG" for n in range(8)]
ONLINE_PRODUCTS = photographs(*PRODUCTS) | {
    "Ebay_train.txt": table(
        "image_id class_id super_class_id path",
        *(f"{n + 1} {n // 2 + 1} {n // 4 + 1} {name}" for n, name in enumerate(PRODUCTS)),
    ),
}


def test_a_table_of_two_labels_beside_folders_of_one_of_them_is_a_choice(tmp_path):
    with pytest.raises(DataError) as refusal:
        reading_of(ONLINE_PRODUCTS, tmp_path / "data")

    (problem,) = refusal.value.problems
    assert problem.got == "`class_id`, `super_class_id`"
    assert (
        problem.way_out == "choose with --label-column class_id or --label-column super_class_id, "
        "or --train . for folders of classes in `/`"
    )


@pytest.mark.parametrize(
    ("flag", "labels"),
    [
        ({"label_column": "class_id"}, tuple(str(n // 2 + 1) for n in range(8))),
        ({"train": "."}, ("chair_final",) * 4 + ("sofa_final",) * 4),
    ],
)
def test_either_flag_decides(flag, labels, tmp_path):
    reading, findings = reading_of(ONLINE_PRODUCTS, tmp_path / "data", **flag)

    assert splits_of(reading) == {"train": (tuple(PRODUCTS), labels)}
    assert findings.problems == []


def styles(last):
    rows = [f"{100 + n},{('Men', 'Women')[n // 2 % 2]},{('Shoes', 'Shirts')[n % 2]},shop {n}" for n in range(8)]
    return photographs(*(f"images/{100 + n}.jpg" for n in range(9))) | {
        "styles.csv": table("id,gender,articleType,productDisplayName", *rows, f"108,Men,Shoes,{last}")
    }


def test_commas_in_a_text_at_the_end_of_a_row_are_part_of_it(tmp_path):
    reading, findings = reading_of(styles("shop 9, with dots"), tmp_path / "data", label_column="articleType")

    assert splits_of(reading)["train"][1] == (*("Shoes", "Shirts") * 4, "Shoes")
    assert findings.problems == []


def test_a_row_whose_commas_may_be_elsewhere_is_named(tmp_path):
    files = styles("x")
    files["styles.csv"] = files["styles.csv"].replace(b"108,Men,Shoes,x", b"108,Men,Low,Shoes,x")

    _, findings = reading_of(files, tmp_path / "data", label_column="articleType")

    (problem,) = findings.problems
    assert problem.place.endswith("styles.csv:10")
    assert problem.got == "5: `108,Men,Low,Shoes,x`"


def test_folders_that_are_splits_of_one_thing_are_no_classes(tmp_path):
    cars = [f"cars_{split}/{n:05d}.jpg" for split in ("train", "test") for n in range(3)]

    with pytest.raises(DataError, match="each image to train on must have a label"):
        reading_of(photographs(*cars), tmp_path / "data")


@pytest.mark.parametrize("end", ["", "_aligned"])
def test_names_tell_the_split_and_have_an_ending_that_the_list_leaves_out(end, tmp_path):
    """RAF-DB."""
    stems = [*(f"train_{n:05d}" for n in range(1, 7)), *(f"test_{n:05d}" for n in range(1, 4))]
    files = [f"basic/Image/aligned/{stem}{end}.jpg" for stem in stems]
    labels = tuple(str(n % 3 + 1) for n in range(9))
    rows = (f"{stem}.jpg {label}" for stem, label in zip(stems, labels, strict=True))

    reading, findings = reading_of(
        photographs(*files) | {"basic/EmoLabel/list_patition_label.txt": table(*rows)}, tmp_path / "data"
    )

    assert splits_of(reading) == {"train": (tuple(files[:6]), labels[:6]), "test": (tuple(files[6:]), labels[6:])}
    assert findings.problems == []


def test_a_list_of_a_few_images_has_its_labels_where_those_of_train_have_them(tmp_path):
    """Garbage classification: lists of three splits beside two of all images, counted from 0 and from 1."""
    kinds = ("glass", "metal", "paper")
    names = [f"{kinds[n % 3]}{n // 3 + 1}.jpg" for n in range(15)]
    files = [f"Garbage classification/{kinds[n % 3]}/{name}" for n, name in enumerate(names)]
    lists = {
        f"one-indexed-files-notrash_{split}.txt": table(*(f"{names[n]} {n % 3 + 1}" for n in rows))
        for split, rows in (("train", range(9)), ("val", range(9, 12)), ("test", range(12, 15)))
    }
    lists |= {
        f"{word}-indexed-files.txt": table(*(f"{name} {n % 3 + first}" for n, name in enumerate(names)))
        for first, word in enumerate(("zero", "one"))
    }

    reading, findings = reading_of(photographs(*files) | lists, tmp_path / "data")

    assert {split: labels for split, (_, labels) in splits_of(reading).items()} == {
        "train": kinds * 3,
        "validation": kinds,
        "test": kinds,
    }
    assert findings.problems == []


def test_the_folder_is_the_label_where_a_list_gives_it_among_others(tmp_path):
    """Describable Textures Dataset."""
    files = [f"dtd/images/{kind}/{kind}_{n:04d}.jpg" for kind in ("banded", "braided") for n in range(6)]
    names = [file.removeprefix("dtd/images/") for file in files]
    rows = (f"{name} {name.partition('/')[0]}{' lined' * (n % 3 == 0)} " for n, name in enumerate(names))
    lists = {"dtd/labels/labels_joint_anno.txt": table(*rows)}
    lists |= {f"dtd/labels/{split}1.txt": table(*names[at::2]) for at, split in enumerate(("train", "test"))}

    reading, findings = reading_of(photographs(*files) | lists, tmp_path / "data")

    assert splits_of(reading) == {
        "train": (tuple(files[::2]), ("banded",) * 3 + ("braided",) * 3),
        "test": (tuple(files[1::2]), ("banded",) * 3 + ("braided",) * 3),
    }
    assert findings.problems == []


def xrays():
    """MURA: folders of body parts, of patients and of studies, and lists of the images and of the studies' labels."""
    found = {}
    for split, patients in (("train", range(6)), ("valid", range(6, 9))):
        studies = [
            f"MURA-v1.1/{split}/XR_{part}/patient{n:05d}/study{1 + n % 2}_{('negative', 'positive')[n % 3 == 0]}/"
            for part in ("ELBOW", "HAND")
            for n in patients
        ]
        images = [f"{study}image{n}.png" for study in studies for n in (1, 2)]
        found |= {name: image(len(found) + n) for n, name in enumerate(images)}
        found[f"MURA-v1.1/{split}_image_paths.csv"] = table(*images)
        found[f"MURA-v1.1/{split}_labeled_studies.csv"] = table(*(f"{name},{int('pos' in name)}" for name in studies))
    return found


def test_tables_that_give_other_labels_than_the_folders_are_named_with_the_flags_that_choose_them(tmp_path):
    reading, findings = reading_of(xrays(), tmp_path / "data")

    assert set(reading.listings["train"].labels) == {"XR_ELBOW", "XR_HAND"}
    assert findings.problems == []
    flags = "--train MURA-v1.1/train_labeled_studies.csv --valid MURA-v1.1/valid_labeled_studies.csv"
    assert any(note.endswith(f"has others, such as `0`, `1`: {flags}.") for note in findings.notes)


def test_a_row_that_names_a_folder_is_that_of_all_images_in_it(tmp_path):
    names = {"train": "MURA-v1.1/train_labeled_studies.csv", "valid": "MURA-v1.1/valid_labeled_studies.csv"}
    reading, findings = reading_of(xrays(), tmp_path / "data", **names)

    assert {split: len(listing.files) for split, listing in reading.listings.items()} == {"train": 24, "validation": 12}
    for listing in reading.listings.values():
        assert all(
            label == str(int("positive" in file)) for file, label in zip(listing.files, listing.labels, strict=True)
        )
    assert findings.problems == []
