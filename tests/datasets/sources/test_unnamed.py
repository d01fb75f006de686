"""A table that names no image is refused with its columns, what was looked for, and what to do."""

import json

import pytest

from sweep.datasets.load import load
from sweep.datasets.problems import DataError
from tests.datasets.trees.containers import csv_of, parquet_file
from tests.trees import image, table, write

ROWS = [(f"http://x.org/{number}.jpg", number % 2) for number in range(6)]
ADDRESSES = table("url,label", *(f"{url},{label}" for url, label in ROWS))
HEADER = "header must be `id,label`"
BETWEEN = (
    ", and the columns `url`, `label`, of which `url` names `http://x.org/0.jpg`, and no such file is there; download"
)
NO_COLUMN = "the columns `text`, `label`, none of which names image files; add the images, and a column with the names"
REFUSED = {
    "addresses": (
        {"train.csv": ADDRESSES},
        f"train.csv: the images of a table must be in the data, got no image{BETWEEN}",
    ),
    "addresses under another name": (
        {"memes.csv": ADDRESSES},
        f"memes.csv: the images of a table must be in the data, got no image{BETWEEN}",
    ),
    "addresses beside images": (
        {"train.csv": ADDRESSES, "other.png": image(1)},
        "train.csv: a column must name the images by their files, with or without suffix and folder, got 1 image such "
        f"as `other.png`{BETWEEN}",
    ),
    "addresses in Parquet": (
        {"train.parquet": parquet_file({"url": [url for url, _ in ROWS], "label": [label for _, label in ROWS]})},
        f"train.parquet: the images of a table must be in the data, got no image{BETWEEN}",
    ),
    "texts in JSON Lines": (
        {"train.jsonl": "\n".join(json.dumps({"text": "x", "label": label}) for _, label in ROWS).encode()},
        NO_COLUMN,
    ),
    "lists in Parquet": (
        {"train.parquet": parquet_file({"pixels": [[1, 2]] * 6, "label": [label for _, label in ROWS]})},
        "the columns `label`, `pixels` (neither text nor numbers), none of which names image files; a Parquet file may",
    ),
    "files that are not there": (
        {"train.csv": table("ID,Label", "1.png,0", "2.png,1")},
        "of which `ID` names `1.png`, and no such file is there; give the folder that holds the table and its images",
    ),
    "pixels that make no square": (
        {"train.csv": csv_of(["label", *(f"pixel{k}" for k in range(50))], [[k % 2, *[k] * 50] for k in range(6)])},
        "must make a square image: 64 numbers a row for 8x8, 784 for 28x28, 3,072 in colour, got 50 columns of numbers "
        "(`pixel0` to `pixel49`); save them as an array of images: numpy.savez(",
    ),
    "pixels beyond 255": (
        {"train.csv": csv_of(["label", *(f"pixel{k}" for k in range(64))], [[k % 2, *[300] * 64] for k in range(6)])},
        "pixels of a table must be whole numbers from 0 to 255, got `300` among 64 columns of numbers",
    ),
    "pixels in a list": (
        {"train.jsonl": "\n".join(json.dumps({"band": [0.5] * 64, "label": label}) for _, label in ROWS).encode()},
        "pixels of a table must be whole numbers from 0 to 255, got `0.5` among 64 numbers in column `band`",
    ),
    "a header alone": (
        {"train.csv": b"image,label\n", "train/1.png": image(1)},
        "train.csv: a table must have rows, got the header `image`, `label` alone; fetch it again",
    ),
    "a quote that does not end": (
        {"train.csv": b'image,label\n"1.png,a\n2.png,b\n', "train/1.png": image(1)},
        'train.csv:2: row must have the fields of the header, `image,label`, got `"1.png,a`; mend the row',
    ),
    "the images in an archive that is not read": (
        {"train.csv": table("image_id,label", "1,0", "2,1"), "train.7z": b"7z\xbc\xaf\x27\x1c"},
        "train.7z: 7-Zip archives are not read, got a 7-Zip archive; unpack it: 7z x ",
    ),
    "a web page": (
        {"train.csv": b"<!DOCTYPE html>\n<html>", "train/1.png": image(1)},
        "train.csv: a table must have rows, got a web page, not the file itself; fetch it again",
    ),
    "a pointer of Git LFS": (
        {"data/train.parquet": b"version https://git-lfs.github.com/spec/v1\n"},
        "train.parquet: Parquet file must be whole, got a pointer of Git LFS, not the file itself; fetch the files",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_table_without_images_is_refused_with_its_columns_and_what_to_do(name, tmp_path):
    files, line = REFUSED[name]

    with pytest.raises(DataError) as error:
        load(write(files, tmp_path / "data"))

    assert line in str(error.value).splitlines()[0]
    assert HEADER not in str(error.value)
