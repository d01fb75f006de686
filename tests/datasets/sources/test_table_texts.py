"""Tables are read as spreadsheets and lists of data sets have them: encodings, prefaces, short headers, lost zeros."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sweep.datasets.load import load_images
from sweep.datasets.problems import DataError
from tests.datasets.sources.reading import reading_of, splits_of
from tests.trees import image, table

FILES = tuple(f"pictures/{number:03d}.JPG" for number in range(6))
PICTURES = {file: image(number) for number, file in enumerate(FILES)}
LABELS = ("Käfer", "Mücke") * 3

TEXTS = {
    "Windows-1252": table("Bild;Art", *(f"{n:03d}.JPG;{LABELS[n]}" for n in range(6))).decode().encode("cp1252"),
    "the separator on the first line": table("sep=;", "Bild;Art", *(f"{n:03d};{LABELS[n]}" for n in range(6))),
    "comments": table("# file class", "#2: classes", *(f"{n:03d}.JPG {LABELS[n]}" for n in range(6))),
    "the number of the rows": table("6", "image_name  label", *(f"{n:03d}.JPG    {LABELS[n]}" for n in range(6))),
    "a header without the names": table("size label", *(f"{n:03d}.JPG {n / 7} {LABELS[n]}" for n in range(6))),
    "numbers without their zeros": table("id,label", *(f"{n},{LABELS[n]}" for n in range(6))),
    "numbers with a point": table("id,label", *(f"{n}.0,{LABELS[n]}" for n in range(6))),
    "letters of another size": table("id,label", *(f"{n:03d}.jpg,{LABELS[n]}" for n in range(6))),
    "dates beside it": table("day,file,level", *(f"2020-01-0{1 + n % 2},{n:03d}.JPG,{LABELS[n]}" for n in range(6))),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_of_another_program_is_a_table(name, tmp_path):
    reading, findings = reading_of(PICTURES | {"list.txt": TEXTS[name]}, tmp_path / "d")

    assert splits_of(reading) == {"train": (FILES, LABELS)}
    assert findings.problems == []


def test_labels_after_a_key_may_hold_spaces(tmp_path):
    labels = ("Boeing 707", "A300") * 3
    lines = (f"{n:03d} {labels[n]}" for n in range(6))
    reading, _ = reading_of(PICTURES | {"list.txt": table(*lines)}, tmp_path / "data")

    assert reading.listings["train"].labels == labels


def test_classes_may_be_whole_numbers_with_a_point_and_measurements_may_not(tmp_path):
    rows = (f"{n:03d},{(n % 2) / 2},{n % 2}.0" for n in range(6))
    reading, _ = reading_of(PICTURES | {"a.csv": table("file,length,type", *rows)}, tmp_path / "data")

    assert reading.listings["train"].labels == ("0.0", "1.0") * 3


def test_text_in_an_encoding_that_is_not_known_is_refused_with_how_to_convert_it(tmp_path):
    content = table("图片,标签", *(f"{n:03d},{'猫狗'[n % 2]}" for n in range(6))).decode().encode("gbk")
    with pytest.raises(DataError, match=r"train.csv:1: text must be UTF-8, got byte 0x.*iconv -f GBK -t UTF-8"):
        reading_of(PICTURES | {"train.csv": content}, tmp_path / "data")


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("conjunto", ("entrenamiento",) * 4 + ("prueba",) * 2),
        ("is_train", ("1",) * 4 + ("0",) * 2),
        ("is_test", ("False",) * 4 + ("True",) * 2),
        ("partition", ("0",) * 4 + ("2",) * 2),
    ],
)
def test_a_column_says_the_split_in_many_ways(header, values, tmp_path):
    rows = (f"{n:03d},{LABELS[n]},{values[n]}" for n in range(6))
    reading, _ = reading_of(PICTURES | {"a.csv": table(f"id,label,{header}", *rows)}, tmp_path / "data")

    assert {split: len(listing.ids) for split, listing in reading.listings.items()} == {"train": 4, "test": 2}


def test_a_text_beside_an_image_of_its_name_is_no_table(tmp_path):
    texts = {f"pictures/{n:03d}.json": b'{"id": 1, "age": 7}' for n in range(6)}
    rows = (f"{n:03d},{LABELS[n]}" for n in range(6))
    reading, findings = reading_of(PICTURES | texts | {"a.csv": table("id,label", *rows)}, tmp_path / "data")

    assert reading.listings["train"].labels == LABELS
    assert findings.problems == []


def test_a_parquet_file_may_name_images(tmp_path):
    content = io.BytesIO()
    columns = {"path": list(FILES), "label": list(LABELS), "split": ["train"] * 4 + ["test"] * 2, "width": [1.0] * 6}
    pq.write_table(pa.table(columns), content)
    reading, findings = reading_of(PICTURES | {"labels.parquet": content.getvalue()}, tmp_path / "data")

    assert splits_of(reading) == {"train": (FILES[:4], LABELS[:4]), "test": (FILES[4:], LABELS[4:])}
    assert findings.problems == []


def test_images_to_predict_are_named_in_the_same_ways(tmp_path):
    for name, data in (PICTURES | {"list.csv": table("id", *map(str, range(6)))}).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)

    assert load_images(tmp_path / "list.csv", (4, 4)).ids == tuple("012345")


def test_numbers_without_their_zeros_are_found_in_the_layout_of_before_as_well(tmp_path):
    rows = (f"{n},{LABELS[n]}" for n in range(6))
    reading, findings = reading_of(PICTURES | {"train.csv": table("id,label", *rows)}, tmp_path / "data")

    assert splits_of(reading) == {"train": (FILES, LABELS)}
    assert findings.problems == []
