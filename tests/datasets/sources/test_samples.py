"""The sample submission says which images are tested and how predictions are handed in."""

import pytest

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


OTHER_FORMS = {
    "a probability": (sample("0,0.5", "1,0.5", "2,0.5"), "a probability, such as `0.5`"),
    "a column a class": (sample("0,.5,.5", "1,.5,.5", "2,.5,.5", header="Id,a,b"), "2 columns an image, such as `a`"),
    "several labels": (sample("0,a b", "1,a b", "2,b a"), "several labels an image, such as `a b`"),
    "a number": (sample("0,7", "1,7", "2,7"), "a number, such as `7`, where the labels are names"),
}


@pytest.mark.parametrize("name", OTHER_FORMS)
def test_another_form_than_one_label_is_said_in_one_sentence(name, tmp_path):
    files, words = OTHER_FORMS[name]
    reading, findings = reading_of(DATA | files, tmp_path / "data")

    assert (len(reading.listings["test"].ids), reading.submission) == (3, None)
    (note,) = [note for note in findings.notes if "the form that it shows" in note]
    assert note.endswith(f"is not written yet ({words}): predictions.csv has `id,label`.")


def test_ids_that_are_no_images_are_said(tmp_path):
    reading, findings = reading_of(DATA | sample("left,a", "right,a"), tmp_path / "data")

    assert "test" not in reading.listings
    assert any("names no images (first `left`)" in note for note in findings.notes)


def test_an_image_of_it_that_is_not_there_is_a_problem(tmp_path):
    _, findings = reading_of(DATA | sample("0,a", "1,a", "9.png,a"), tmp_path / "data")

    assert "image must exist, `9.png` is none of the files" in str(findings.problems[0])
