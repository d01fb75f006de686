"""A sweep of pictures that were made for no data set: of any size, in nested folders, many twice, some that are bad."""

import csv
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from sweep.search import check, run
from sweep.storage import paths
from sweep.trainable.loop import train
from tests.searched import command, here
from tests.trees import image, write

FLAGS = ("--image-size", 64, "--leave-out", "bad")
QUICK = ("--trials", 2, "--max-epochs", 2, "--fix", "epochs=2", "--fix", "arch=mlp", "--fix", "width=0.1")
LINKS = {
    "people/linked.png": "../animals/2.png",
    "animals/linked.png": "birds/small/1.png",
    "animals/outside.png": "../../outside.png",
    "animals/gone.png": "nowhere.png",
}
LEFT_OUT = {  # of the train split, by the reason
    "unreadable": ["animals/cut off.png", "people/empty.png"],
    "doubled under another label": ["animals/2.png", "people/3.png", "people/linked.png", "special/flags/3.png"],
    "doubled within its label": ["animals/linked.png", "special/flags/europe/0.png"],
    "its class is too small": ["logos/0.png"],
}


def drawn(width: int, height: int) -> bytes:
    """A picture with transparent stripes."""
    picture = np.full((height, width, 4), width % 251, np.uint8)
    picture[::3, :, 3] = 0
    return cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


@pytest.fixture
def clip_art(tmp_path: Path) -> Path:
    folders = {"animals/birds/small": 12, "animals": 6, "people": 14, "special/flags/europe": 12, "logos": 1}
    files = {}
    for first, (folder, count) in enumerate(folders.items()):
        files |= {f"{folder}/{number}.png": image(100 * first + number, 20 + 9 * number) for number in range(count)}
    sizes = [(60, 60), (794, 1123), (140, 19), (4100, 4200)]  # the last of more than 16 megapixels
    files |= {f"people/drawn/{width}.png": drawn(width, height) for width, height in sizes}
    files["special/copy of 0.png"] = files["special/flags/europe/0.png"]
    files["special/flags/3.png"] = files["people/3.png"]
    files["animals/cut off.png"] = files["animals/5.png"][:300]
    files["people/empty.png"] = b""
    data = write(files, tmp_path / "png")
    (tmp_path / "outside.png").write_bytes(image(1))
    for name, target in LINKS.items():
        (data / name).symlink_to(target)
    return data


def test_a_sweep_of_clip_art_leaves_out_what_is_bad_by_name_and_runs_to_its_end(clip_art, tmp_path):
    sweep = tmp_path / "sweep"

    done = command(run.main, "--data", clip_art, "--sweep", sweep, *FLAGS, "--min-per-class", 2, *QUICK, on=here(train))

    assert done.exit_code == 0, done.output
    assert command(check.main, sweep).exit_code == 0
    assert (sweep / paths.REPORT_PAGE).exists()
    with open(sweep / paths.LEFT_OUT, newline="") as file:
        left_out = list(csv.DictReader(file))
    by_reason = {reason: sorted(row["id"] for row in left_out if row["reason"] == reason) for reason in LEFT_OUT}
    assert by_reason == LEFT_OUT
    with open(sweep / paths.DATA_TABLE, newline="") as file:
        used = [row["id"] for row in csv.DictReader(file)]
    pictures = {str(path.relative_to(clip_art)) for path in clip_art.rglob("*.png") if path.is_file()}
    pictures.remove("animals/outside.png")
    assert Counter([*used, *(row["id"] for row in left_out)]) == Counter(pictures)
    assert "people/drawn/4100.png" in used
    text = (sweep / paths.REPORT_TEXT).read_text()
    reasons = "4 doubled under another label, 2 doubled within its label, 2 unreadable, 1 its class is too small"
    assert reasons in text
    assert "1 link out of the folder, 1 broken link" in text


def test_a_class_of_one_picture_is_named_with_the_flag_that_leaves_it_out(clip_art, tmp_path):
    done = command(run.main, "--data", clip_art, "--sweep", tmp_path / "sweep", *FLAGS, *QUICK, on=here(train))

    assert done.exit_code == 2
    assert "logos/0.png: image must not be alone in its class" in done.output
    assert "--min-per-class 2" in done.output
    assert not (tmp_path / "sweep").exists()
