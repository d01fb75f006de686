"""The sample submission says which images are tested and how predictions are handed in."""

import csv

import numpy as np
import pytest

from sweep.datasets.submission.best import Best
from sweep.datasets.submission.columns import ProbabilityColumns
from sweep.datasets.submission.probability import Probability
from tests.datasets.sources.reading import reading_of
from tests.trees import image, table

TRAIN = {f"train/{n}.png": image(n) for n in range(6)}
TEST = {f"test/{n}.png": image(50 + n) for n in range(3)}
LABELS = {"train_labels.csv": table("Id,Kind", *(f"{n},{'ab'[n % 2]}" for n in range(6)))}
DATA = TRAIN | TEST | LABELS


def sample(*rows, name="sampleSubmission.csv", header="Id,Kind"):
    return {name: table(header, *rows)}


@pytest.mark.parametrize(
    "name", ["sample_submission.csv", "sampleSubmission.csv", "SampleSubmission.csv", "LOC_sample_submission.csv"]
)
def test_it_names_the_test_images_their_order_and_the_header(name, tmp_path):
    reading, findings = reading_of(DATA | sample("2,a", "0,a", "1,a", name=name), tmp_path / "data")

    assert reading.listings["test"].files == ("test/2.png", "test/0.png", "test/1.png")
    assert (reading.submission.header, reading.submission.ids) == (("Id", "Kind"), ("2", "0", "1"))
    assert reading.submission.rows == (0, 1, 2)
    assert findings.problems == []


def test_where_a_table_lists_the_test_images_it_gives_their_order_in_the_file_alone(tmp_path):
    tables = {"test_list.csv": table("Id", "0", "1", "2")}
    reading, _ = reading_of(DATA | tables | sample("2,a", "0,a", "1,a"), tmp_path / "data")

    assert reading.listings["test"].ids == ("0", "1", "2")
    assert reading.submission.rows == (2, 0, 1)


def test_beside_folders_of_classes_it_names_files_without_their_suffix(tmp_path):
    tree = {f"train/{'ab'[n % 2]}/{n}.png": image(n) for n in range(6)} | TEST
    reading, _ = reading_of(tree | sample("2,a", "0,a", "1,a", header="file,species"), tmp_path / "data")

    assert reading.listings["test"].ids == ("0.png", "1.png", "2.png")
    assert reading.submission.header == ("file", "species")
    assert reading.submission.rows == (2, 0, 1)


FORMS = {
    "a probability": (sample("0,0.5", "1,0.5", "2,0.5"), Probability),
    "a column a class": (sample("0,.5,.5", "1,.5,.5", "2,.5,.5", header="Id,a,b"), ProbabilityColumns),
    "the best labels": (sample("0,a b", "1,a b", "2,b a"), Best),
}


@pytest.mark.parametrize("name", FORMS)
def test_another_form_than_one_label_is_known_and_said(name, tmp_path):
    files, kind = FORMS[name]
    reading, findings = reading_of(DATA | files, tmp_path / "data")

    assert isinstance(reading.submission.form, kind)
    (note,) = [note for note in findings.notes if "predictions.csv has its form: `Id` and " in note]
    assert reading.submission.sentence() in note


UNKNOWN = {
    "a number": (sample("0,7", "1,7", "2,7"), "got a number such as `7` for a label"),
    "words": (sample("0,what", "1,ever", "2,what"), "got `what` for a label, which is none of the 2 classes"),
    "too few ids": (sample("0,a", "1,a"), "its ids must be those of the 3 test images, one each, got 2 rows"),
    "ids alone": (sample("0", "1", "2", header="Id"), "got no column beside the ids"),
    "an id twice": (sample("0,a", "1,a", "1,a"), "its ids must be those of the 3 test images"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_form_that_is_not_known_is_said_with_what_was_understood(name, tmp_path):
    files, words = UNKNOWN[name]
    reading, findings = reading_of(DATA | {"test.csv": table("Id", "0", "1", "2")} | files, tmp_path / "data")

    assert (findings.problems, reading.submission) == ([], None)
    (note,) = [note for note in findings.notes if "predictions.csv has `id,label`" in note]
    assert words in note
    assert "give one with --submission FILE: one label, one probability" in note


@pytest.mark.parametrize("name", UNKNOWN)
def test_one_that_a_person_names_is_refused_where_its_form_is_not_known(name, tmp_path):
    ((_, content),), words = UNKNOWN[name][0].items(), UNKNOWN[name][1]
    (tmp_path / "mine.csv").write_bytes(content)
    tables = {"test.csv": table("Id", "0", "1", "2")}
    _, findings = reading_of(DATA | tables, tmp_path / "data", submission=f"{tmp_path}/mine.csv")

    (problem,) = findings.problems
    assert words.removeprefix("got ") in str(problem)
    assert str(problem).startswith(f"{tmp_path}/mine.csv: ")


def test_one_that_a_person_names_comes_before_that_of_the_data_and_names_the_test_images(tmp_path):
    (tmp_path / "mine.csv").write_bytes(table("Id,a,b", "2,0,1", "0,0,1"))
    without_two = {name: content for name, content in DATA.items() if name != "test/1.png"}
    files = without_two | sample("0,a", "2,a")
    reading, findings = reading_of(files, tmp_path / "data", submission=f"{tmp_path}/mine.csv")

    assert findings.problems == []
    assert reading.listings["test"].files == ("test/2.png", "test/0.png")
    assert reading.submission.header == ("Id", "a", "b")


def test_one_in_the_data_may_be_named_whatever_it_is_called(tmp_path):
    files = DATA | {"form.csv": table("Id,a,b", "2,0,1", "0,0,1", "1,0,1")}
    for name in ("form.csv", f"{tmp_path}/data/form.csv"):
        reading, findings = reading_of(files, tmp_path / "data", submission=name)

        assert findings.problems == []
        assert reading.submission.ids == ("2", "0", "1")


@pytest.mark.parametrize("name", ["no.csv", "."])
def test_one_that_is_not_there_is_refused(name, tmp_path):
    _, findings = reading_of(DATA, tmp_path / "data", submission=name)

    assert "--submission" in str(findings.problems[0])


WRITINGS = {
    "semicolons": ("sample_submission.csv", b"Id;a;b\n2;0;1\n0;0;1\n1;0;1\n"),
    "tabs": ("sample_submission.tsv", b"Id\ta\tb\n2\t0\t1\n0\t0\t1\n1\t0\t1\n"),
    "an index": ("sample_submission.csv", b",Id,a,b\n0,2,0,1\n1,0,0,1\n2,1,0,1\n"),
    "ids last": ("sample_submission.csv", b"a,b,Id\n0,1,2\n0,1,0\n0,1,1\n"),
    "upper case": ("SAMPLE_SUBMISSION.CSV", b"Id,a,b\n2,0,1\n0,0,1\n1,0,1\n"),
    "quotes": ("sample_submission.csv", b'"Id","a","b"\r\n"2","0","1"\r\n"0","0","1"\r\n"1","0","1"\r\n'),
    "blank lines": ("sample_submission.csv", b"Id,a,b\n2,0,1\n0,0,1\n1,0,1\n\n\n"),
    "suffixes": ("sample_submission.csv", b"Id,a,b\n2.png,0,1\n0.png,0,1\n1.png,0,1\n"),
    "folders": ("sample_submission.csv", b"Id,a,b\ntest/2.png,0,1\ntest/0.png,0,1\ntest/1.png,0,1\n"),
    "other capitals": ("sample_submission.csv", b"Id,a,b\n2.PNG,0,1\n0.PNG,0,1\n1.PNG,0,1\n"),
}


@pytest.mark.parametrize("name", WRITINGS)
def test_whatever_its_writing_its_ids_columns_and_separator_are_kept(name, tmp_path):
    file, content = WRITINGS[name]
    reading, findings = reading_of(DATA | {file: content}, tmp_path / "data")

    handed = reading.submission
    table = handed.table(np.eye(3, 2), np.zeros(3, int), ("a", "b")).decode().splitlines()
    read, written = (
        list(csv.reader(lines, delimiter=handed.separator)) for lines in (content.decode().splitlines(), table)
    )
    ids = {row.index("Id") for row in read[:1]}.pop()
    read = [row for row in read if row]
    assert (findings.problems, written[0]) == ([], read[0])
    kept = [at for at in range(len(read[0])) if read[0][at] not in ("a", "b")]
    assert [[row[at] for at in kept] for row in written] == [[row[at] for at in kept] for row in read]
    files = reading.listings["test"].files
    assert [files[row] for row in handed.rows] == ["test/2.png", "test/0.png", "test/1.png"]
    assert ids in kept


def test_a_sample_without_a_header_is_written_without_one(tmp_path):
    reading, _ = reading_of(DATA | {"sample_submission.csv": table("2.png,a", "0.png,a", "1.png,b")}, tmp_path / "data")

    assert (reading.submission.header, reading.submission.ids) == ((), ("2.png", "0.png", "1.png"))


def test_a_header_alone_gives_the_form_and_the_data_the_ids(tmp_path):
    tables = {"test.csv": table("Id", "0", "1", "2"), "sample_submission.csv": table("Id,b,a")}
    reading, _ = reading_of(DATA | tables, tmp_path / "data")

    assert (reading.submission.ids, reading.submission.form) == (("0", "1", "2"), ProbabilityColumns(["b", "a"]))


def test_a_file_of_the_data_says_which_number_is_which_class(tmp_path):
    tree = {f"train/{'ab'[n % 2]}/{n}.png": image(n) for n in range(6)} | TEST
    names = {"labels.csv": table("number,name", "1,b", "2,a")}
    reading, findings = reading_of(tree | names | sample("2,1", "0,1", "1,1"), tmp_path / "data")

    assert findings.problems == []
    assert reading.submission.form.written == {"a": "2", "b": "1"}


def test_the_class_whose_probability_is_asked_for_must_be_one_of_two(tmp_path):
    files = DATA | sample("0,0.5", "1,0.5", "2,0.5")

    reading, _ = reading_of(files, tmp_path / "data", positive_class="a")
    assert reading.submission.form.of == "a"

    _, findings = reading_of(files, tmp_path / "data", positive_class="c")
    assert "--positive-class must be one of two classes, got `c`" in str(findings.problems[0])

    _, findings = reading_of(DATA, tmp_path / "none", positive_class="a")
    assert "--positive-class needs a sample submission" in str(findings.problems[0])


def test_ids_that_are_no_images_are_said(tmp_path):
    reading, findings = reading_of(DATA | sample("left,a", "right,a"), tmp_path / "data")

    assert "test" not in reading.listings
    assert any("must name the test images, where nothing else does, got `left`" in note for note in findings.notes)


def test_an_image_of_it_that_is_not_there_is_a_problem(tmp_path):
    _, findings = reading_of(DATA | sample("0,a", "1,a", "9.png,a"), tmp_path / "data")

    assert "image must exist, `9.png` is none of the files" in str(findings.problems[0])
