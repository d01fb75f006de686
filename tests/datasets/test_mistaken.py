"""A file that is something else than its name says is told as what it is."""

import pytest

from sweep.datasets.load import load
from sweep.datasets.mistaken import mistaken_for
from sweep.datasets.problems import DataError
from tests.trees import image, write

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"<!DOCTYPE html>\n", "a web page"),
        (b"\n  <html lang=en>", "a web page"),
        (POINTER[:16], "a pointer of Git LFS"),
    ],
)
def test_a_file_is_told_by_its_first_bytes(head, what):
    assert mistaken_for(head)[0].startswith(what)


@pytest.mark.parametrize("head", [b"", b"id,label\n", image(1), b"<annotation>", b"version,label\n"])
def test_any_other_file_may_be_what_its_name_says(head):
    assert mistaken_for(head) is None


def test_images_that_are_pointers_are_told_in_one_line(tmp_path):
    files = {f"{kind}/{number}.png": POINTER + bytes([number]) for kind in "ab" for number in range(30)}

    with pytest.raises(DataError) as error:
        load(write(files, tmp_path / "data"))

    (problem,) = error.value.problems
    assert "got a pointer of Git LFS, not the file itself (and 59 more images); fetch the files: git lfs" in str(
        problem
    )


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz", ".parquet"])
def test_data_that_is_a_web_page_is_told_so(suffix, tmp_path):
    path = tmp_path / f"data{suffix}"
    path.write_bytes(b"<!DOCTYPE html><html>")

    with pytest.raises(DataError, match="got a web page, not the file itself; fetch it again"):
        load(path)
