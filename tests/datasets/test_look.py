import json
import os

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from sweep.datasets.look.__main__ import main
from tests.browser import CHROMIUM, browser
from tests.trees import image, write


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


def test_data_that_cannot_be_used_at_all_ends_with_code_2_and_its_problems_on_stderr(tiny_data, look):
    (tiny_data / "test" / "test03.png").write_bytes(b"<html>")

    result, picture = look(tiny_data)

    assert result.exit_code == 2
    assert f"{tiny_data}/test.txt:5: image `test03.png` must be an image, got a web page" in result.stderr
    assert picture is None


def test_data_with_bad_images_is_looked_at_without_them_and_what_refuses_it_is_said(tiny_data, tmp_path):
    (tiny_data / "train+validation" / "train03.png").write_bytes(b"<html>")
    out = tmp_path / "look.html"

    result = CliRunner().invoke(main, [str(tiny_data), "--out", str(out)])

    assert result.exit_code == 2
    assert "Without --leave-out bad it is refused:" in result.stderr
    assert f"{tiny_data}/train.txt:5: image `train03.png` must be an image, got a web page" in result.stderr
    assert "Left out: 1 image (1 unreadable)" in result.stdout
    assert "1 problem: a search refuses this data unless" in out.read_text()
    assert "train03.png" in out.read_text()
    assert out.with_suffix(".png").exists()


def test_the_same_is_given_as_json_and_no_file_is_written(tiny_data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(main, [str(tiny_data), "--json"])

    found = json.loads(result.stdout)
    assert found["splits"]["train"] == {"images": 60, "classes": {"0": 20, "1": 20, "2": 20}}
    assert (found["width"], found["height"], found["left_out"]) == (16, 16, [])
    assert found["splits"]["test"]["classes"] is None
    assert not list(tmp_path.glob("look.*"))


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


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists() and os.environ.get("CI") != "true", reason=f"there is no {CHROMIUM}")
def test_a_browser_shows_samples_of_every_class_and_does_nothing_that_a_name_says(tmp_path):
    names = ["<img src=x onerror=alert(1)>", '" onmouseover="alert(1)', "{{ 7 * 7 }}"]
    tree = {
        f"train/{label}/{number}.png": image(10 * at + number) for at, label in enumerate(names) for number in range(4)
    }
    out, said = tmp_path / "look.html", []
    result = CliRunner().invoke(main, [str(write(tree, tmp_path / "data")), "--out", str(out)])
    assert result.exit_code == 0, result.output

    with browser() as chromium:
        page = chromium.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.on("request", lambda request: said.append(request.url) if "data:" not in request.url else None)
        page.goto(out.as_uri())
        shown = page.locator(".class b").all_text_contents()
        widths = page.eval_on_selector_all(".class img", "images => images.map(image => image.naturalWidth)")

    assert sorted(shown) == sorted(names)
    assert len(widths) >= 3
    assert set(widths) == {4}
    assert said == [out.as_uri()]
