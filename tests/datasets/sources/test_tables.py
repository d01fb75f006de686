"""Tables of any kind are read, whatever their columns are called, with or without a header, from any file."""

import json

import pytest

from sweep.datasets.problems import DataError
from tests.datasets.sources.reading import reading_of, splits_of
from tests.trees import image, table

NAMES = [f"p{number}" for number in range(6)]
LABELS = ["cat", "dog", "owl"] * 2
FILES = tuple(f"pictures/{name}.png" for name in NAMES)
BITS = ("1,0,0", "0,1,0", "0,0,1")
PICTURES = {file: image(number) for number, file in enumerate(FILES)}


def labelled(*header, rows=None, separator=","):
    rows = rows or [f"{name}{separator}{label}" for name, label in zip(NAMES, LABELS, strict=True)]
    return table(*([separator.join(header)] if header else []), *rows)


TABLES = {
    "any header": {"labels.csv": labelled("photo_no", "what")},
    "no header": {"labels.csv": labelled()},
    "semicolons": {"labels.csv": labelled("name", "label", separator=";")},
    "tabs": {"labels.tsv": labelled("name", "label", separator="\t")},
    "spaces": {"list.txt": labelled(separator=" ")},
    "blank lines at the end": {"train.csv": labelled("Id", "Label") + b"\n\n"},
    "an index before it": {
        "train.csv": labelled("", "id", "label", rows=[f"{9 + n},p{n},{LABELS[n]}" for n in range(6)])
    },
    "paths": {"train.csv": labelled("path", "label", rows=[f"./pictures/p{n}.png,{LABELS[n]}" for n in range(6)])},
    "paths of another disk": {
        "train.csv": labelled("path", "label", rows=[f"C:\\data\\pictures\\p{n}.png,{LABELS[n]}" for n in range(6)])
    },
    "another suffix": {"train.csv": labelled("file", "label", rows=[f"p{n}.jpg,{LABELS[n]}" for n in range(6)])},
    "one-hot": {
        "train.csv": labelled(
            "image",
            "cat",
            "dog",
            "owl",
            rows=[f"p{n},{BITS[n % 3]}" for n in range(6)],
        )
    },
    "more columns": {
        "meta.csv": labelled(
            "image", "age", "label", "site", rows=[f"p{n},{20.5 + n},{LABELS[n]},{'ab'[n % 2]}" for n in range(6)]
        )
    },
    "a number and a name of the class": {
        "meta.csv": labelled("file", "class_id", "class_name", rows=[f"p{n}.png,{n % 3},{LABELS[n]}" for n in range(6)])
    },
    "JSON Lines": {
        "metadata.jsonl": table(*(json.dumps({"file_name": f"p{n}.png", "label": LABELS[n]}) for n in range(6)))
    },
    "a JSON object": {"labels.json": json.dumps(dict(zip(NAMES, LABELS, strict=True))).encode()},
    "a JSON list": {"labels.json": json.dumps([{"name": f"p{n}", "label": LABELS[n]} for n in range(6)]).encode()},
    "COCO": {
        "annotations.json": json.dumps(
            {
                "images": [{"id": n, "file_name": f"p{n}.png"} for n in range(6)],
                "annotations": [{"id": n, "image_id": n, "category_id": n % 3} for n in range(6)],
                "categories": [{"id": k, "name": LABELS[k]} for k in range(3)],
            }
        ).encode()
    },
    "UTF-16 of a spreadsheet": {"labels.txt": labelled("name", "label", separator="\t").decode().encode("utf-16")},
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_says_the_label_of_each_image(name, tmp_path):
    reading, findings = reading_of(PICTURES | TABLES[name], tmp_path / "data")

    assert splits_of(reading) == {"train": (FILES, tuple(LABELS))}
    assert findings.problems == []


def test_a_column_of_splits_divides_the_images_and_one_of_patients_groups_them(tmp_path):
    splits = ["train", "train", "train", "val", "test", "train"]
    rows = [f"p{n},{LABELS[n]},{splits[n]},s{n // 2}" for n in range(6)]
    reading, _ = reading_of(PICTURES | {"all.csv": table("id,label,split,patient_id", *rows)}, tmp_path / "data")

    assert {split: listing.ids for split, listing in reading.listings.items()} == {
        "train": ("p0", "p1", "p2", "p5"),
        "validation": ("p3",),
        "test": ("p4",),
    }
    assert reading.listings["train"].groups == ("s0", "s0", "s1", "s2")
    assert reading.listings["test"].labels == ("dog",)
    assert {"group: `patient_id`", "split: `split`"} <= set(reading.inferred)


def test_lists_without_labels_take_them_from_the_folders(tmp_path):
    pictures = {f"images/{label}/{n}.jpg": image(n) for n, label in enumerate(LABELS)}
    lists = {
        "meta/train.txt": table(*(f"{label}/{n}" for n, label in enumerate(LABELS[:4]))),
        "meta/test.txt": table(*(f"{label}/{n + 4}" for n, label in enumerate(LABELS[4:]))),
    }
    reading, _ = reading_of(pictures | lists, tmp_path / "data")

    assert reading.listings["train"].labels == tuple(LABELS[:4])
    assert reading.listings["test"].labels == tuple(LABELS[4:])


def test_images_of_one_table_may_lie_in_several_folders(tmp_path):
    pictures = {f"part_{n % 2}/p{n}.png": image(n) for n in range(6)}
    reading, findings = reading_of(pictures | {"labels.csv": labelled("id", "label")}, tmp_path / "data")

    assert reading.listings["train"].files == tuple(f"part_{n % 2}/p{n}.png" for n in range(6))
    assert findings.problems == []


def test_names_that_begin_again_in_each_split_are_those_of_the_tables_split(tmp_path):
    pictures = {f"{split}/{n}.png": image(len(split) * 10 + n) for split in ("train", "test") for n in range(6)}
    tables = {"trainLabels.csv": table("id,label", *(f"{n},{LABELS[n]}" for n in range(6)))}
    reading, _ = reading_of(pictures | tables, tmp_path / "data")

    assert reading.listings["train"].files == tuple(f"train/{n}.png" for n in range(6))


REFUSED = {
    "several labels": (
        labelled("id", "labels", rows=["p0,cat", "p1,dog", "p2,cat dog", "p3,owl", "p4,cat", "p5,dog owl"]),
        "an image must have one label, for several labels an image cannot be trained on yet, got `cat dog` and 1 more "
        "image with several, split at ` `; give --labels-separator '' to take each combination as a label of its own",
    ),
    "several of one-hot": (
        labelled("id", "a", "b", rows=["p0,1,0", "p1,0,1", "p2,1,1", "p3,1,0", "p4,0,1", "p5,0,1"]),
        "cannot be trained on yet, got 1 of 6 rows with none or several columns that are 1; name one column with",
    ),
    "two columns that may be the label": (
        labelled("id", "colour", "size", rows=[f"p{n},{'rgb'[n % 3]},{'sl'[n % 2]}" for n in range(6)]),
        "got `colour`, `size`; choose with --label-column colour or --label-column size",
    ),
    "two columns of images": (
        labelled("left", "right", "label", rows=[f"p{n}.png,p{5 - n}.png,{LABELS[n]}" for n in range(6)]),
        "one column must name the image of a row, got `left` and `right`, which name other files; choose with "
        "--id-column left or --id-column right",
    ),
    "an image of two labels": (
        labelled("id", "label", rows=[*(f"p{n},{LABELS[n]}" for n in range(6)), "p0,dog"]),
        "an image must have one label, `p0` has `cat` on line 2, got `dog`; keep one of them",
    ),
    "an image that is not there": (
        labelled("name", "label", rows=[*(f"p{n},{LABELS[n]}" for n in range(6)), "p7,dog"]),
        "image must exist, `p7` is none of the files; add it or remove the row, or give --leave-out bad",
    ),
    "no images": (
        labelled("id", "label", rows=[f"q{n},{LABELS[n]}" for n in range(6)]),
        "a column must name the images by their files, with or without suffix and folder, got 6 images such as "
        "`pictures/p0.png`, and the columns `id`, `label`, of which `id` names `q0`, and no such file is there",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_with_what_to_do(name, tmp_path):
    content, message = REFUSED[name]
    try:
        _, findings = reading_of(PICTURES | {"train_labels.csv": content}, tmp_path / "data")
        problems = findings.problems
    except DataError as error:
        problems = error.problems

    assert message in str(problems[0])


def test_flags_choose_where_a_table_leaves_a_choice(tmp_path):
    rows = [f"p{n}.png,p{5 - n}.png,{'rgb'[n % 3]},{'sl'[n % 2]},{LABELS[n]} x" for n in range(6)]
    files = PICTURES | {"a.csv": table("left,right,colour,size,words", *rows)}
    flags = {"id_column": "right", "label_column": "size", "group_column": "colour"}
    reading, findings = reading_of(files, tmp_path / "data", **flags)

    assert reading.listings["train"].files == FILES[::-1]
    assert reading.listings["train"].labels == ("s", "l") * 3
    assert reading.listings["train"].groups == tuple("rgb" * 2)
    assert findings.problems == []


def test_a_flag_that_names_no_column_is_refused_with_those_there_are(tmp_path):
    with pytest.raises(
        DataError, match=r"--label-column must be the header or the number of a column, got `kind`; `a.csv` has `id`"
    ):
        reading_of(PICTURES | {"a.csv": labelled("id", "label")}, tmp_path / "data", label_column="kind")


def test_an_empty_separator_takes_each_combination_as_a_label(tmp_path):
    content, _ = REFUSED["several labels"]
    reading, findings = reading_of(PICTURES | {"train.csv": content}, tmp_path / "data", labels_separator="")

    assert set(reading.listings["train"].labels) == {"cat", "dog", "owl", "cat dog", "dog owl"}
    assert findings.problems == []


def test_two_tables_that_may_be_train_are_named_and_a_flag_chooses(tmp_path):
    other = labelled("id", "kind", rows=[f"p{n},{'xy'[n % 2]}" for n in range(6)])
    files = PICTURES | {"one.csv": labelled("id", "label"), "two.csv": other}

    _, findings = reading_of(files, tmp_path / "data")
    reading, _ = reading_of(files, tmp_path / "again", train="two.csv")

    assert "there must be one table for train, got `one.csv`, `two.csv`; choose, such as with --train one.csv" in str(
        findings.problems[0]
    )
    assert reading.listings["train"].labels == ("x", "y") * 3


def test_folders_that_say_other_labels_than_a_column_that_is_not_named_so_are_named_with_it(tmp_path):
    pictures = {f"{label}s/p{n}.png": image(n) for n, label in enumerate(LABELS)}
    rows = [f"p{n},{'ab'[n % 2]}" for n in range(6)]
    with pytest.raises(DataError) as error:
        reading_of(pictures | {"notes.csv": table("file,site", *rows)}, tmp_path / "data")

    (problem,) = error.value.problems
    assert problem.rule == "data must be read in one way only"
    assert "table `notes.csv`, and folders of classes in `/`" in problem.got
    assert problem.way_out == "choose with --train notes.csv or --train ."


def test_a_folder_chooses_between_images_and_masks_of_the_same_names(tmp_path):
    masks = {name.replace("pictures", "masks"): image(100 + n) for n, name in enumerate(FILES)}
    files = PICTURES | masks | {"labels.csv": labelled("id", "label")}

    _, findings = reading_of(files, tmp_path / "data")
    reading, _ = reading_of(files, tmp_path / "again", images="pictures/")

    assert "its images must be in one folder only, got 6 in `masks/` and 6 in `pictures/`" in str(findings.problems[0])
    assert reading.listings["train"].files == FILES
    with pytest.raises(DataError, match="--images must be a folder with images in the data, got `elsewhere`"):
        reading_of(files, tmp_path / "third", images="elsewhere")


def test_a_table_of_a_split_that_cannot_be_read_is_a_problem(tmp_path):
    files = PICTURES | {"labels_train.csv": labelled("id", "label"), "labels_val.csv": b"id,label\np0,\xed\xa0\x80\n"}
    _, findings = reading_of(files, tmp_path / "data")

    assert "labels_val.csv:2: text must be UTF-8" in str(findings.problems[0])


@pytest.mark.parametrize("header", ["id,label", "id,label,split"])
def test_rows_of_the_test_split_need_no_label(header, tmp_path):
    labels = [*LABELS[:3], *LABELS[:1], "", ""]
    rows = (f"p{n},{labels[n]},{'train' if labels[n] else 'test'}" for n in range(6))
    rows = (row if header.endswith("split") else row.rpartition(",")[0] for row in rows)
    reading, findings = reading_of(PICTURES | {"all.csv": table(header, *rows)}, tmp_path / "data")

    assert splits_of(reading) == {"train": (FILES[:4], tuple(labels[:4])), "test": (FILES[4:], None)}
    assert findings.problems == []


def test_rows_of_train_without_their_image_may_be_left_out(tmp_path):
    rows = [*(f"p{n},{LABELS[n]}" for n in range(6)), "p7,dog"]
    files = PICTURES | {"train_labels.csv": table("name,label", *rows)}
    reading, findings = reading_of(files, tmp_path / "data", leave_out="bad")

    assert reading.listings["train"].files == FILES
    assert findings.problems == []
    assert [left[:3] for left in findings.without_image] == [("train", "p7", "dog")]
