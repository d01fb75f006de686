import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from datasets.look import main


@pytest.fixture
def look(tmp_path):
    """Runs the command and returns its result and the picture."""

    def run(data, *options):
        out = tmp_path / "look.png"
        result = CliRunner().invoke(main, [str(data), "--out", str(out), *map(str, options)])
        return result, cv2.imread(str(out)) if out.exists() else None

    return run


def test_look_draws_one_picture_and_prints_a_line_a_split(tiny_data, look, tmp_path):
    result, picture = look(tiny_data)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        str(tmp_path / "look.png"),
        "train: 60 images, 16x16 px, 3 classes of 20 to 20",
        "validation: 30 images, 16x16 px, 3 classes of 10 to 10",
        "test: 10 images, 16x16 px",
    ]
    assert picture.shape[1] > 800


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 200), (200, 3), (300, 400)])
def test_any_size_of_image_can_be_drawn(tmp_path, look, height, width):
    rng = np.random.default_rng(0)
    for label in ("cat $x$ and a very long name", "dog"):
        (tmp_path / "data" / "train" / label).mkdir(parents=True)
        for number in range(3):
            pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
            cv2.imwrite(str(tmp_path / "data" / "train" / label / f"{number}.png"), pixels)
    result, picture = look(tmp_path / "data")
    assert result.exit_code == 0
    assert "No validation split" in result.stdout
    assert 300 < picture.shape[0] < 1000
    assert 1000 < picture.shape[1] < 2000


def test_bad_data_ends_with_code_2_and_its_problems_on_stderr(tiny_data, look):
    (tiny_data / "train+validation" / "train03.png").write_bytes(b"<html>")
    result, picture = look(tiny_data)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{tiny_data}/train.txt:5: image `train03.png` must be a PNG")
    assert picture is None


def test_the_picture_never_takes_the_place_of_data_or_of_a_file_that_is_no_picture(tiny_data, look, tmp_path):
    (tmp_path / "notes.md").write_text("mine")
    outs = (
        tiny_data / "train.txt",
        tiny_data / "test" / "test00.png",
        tmp_path / "notes.md",
        tmp_path,
        tmp_path / "no/a",
    )
    for out in outs:
        before = out.read_bytes() if out.is_file() else None

        result, _ = look(tiny_data, "--out", out)

        assert result.exit_code == 2
        assert f"--out {out}: " in result.stderr
        assert (out.read_bytes() if out.is_file() else None) == before
    (tmp_path / "look.png").write_bytes(b"\x89PNG\r\n\x1a\n of before")
    assert look(tiny_data)[0].exit_code == 0
