"""The report's near duplicates: their number, and pairs side by side."""

import base64
from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np

from sweep.analysis.report.figures import render_pictures
from sweep.analysis.report.sections.near_duplicates import near_duplicates_sentence, near_pairs
from sweep.datasets.near_duplicates.summary import Across, NearDuplicates, ShownImage, ShownPair
from sweep.storage.schema import parsed, to_json

PNG = base64.b64encode(cv2.imencode(".png", np.full((16, 32, 3), 7, np.uint8))[1].tobytes()).decode()
PAIR = ShownPair(ShownImage("train", "a.png", "cat"), ShownImage("test", "b.png", None), 0.934, True, PNG)
FOUND = NearDuplicates([Across("train", "test", 1, 1, 1)], [PAIR], images=90, blank=2)


def test_a_pair_has_both_names_and_how_alike_they_are():
    [picture] = near_pairs(SimpleNamespace(near_duplicates=FOUND))

    assert picture.caption == ("train: a.png (cat)", "test: b.png", "93 % alike, mirrored")
    assert picture.pixels.shape == (16, 32, 3)
    assert render_pictures([picture]).startswith(b"\x89PNG")


def test_damaged_pictures_are_left_out_and_no_file_is_no_pair():
    damaged = [replace(PAIR, picture=text) for text in ("", "no base64", base64.b64encode(b"no image").decode())]

    assert near_pairs(SimpleNamespace(near_duplicates=replace(FOUND, shown=damaged))) == []
    assert near_pairs(SimpleNamespace(near_duplicates=None)) == []


def test_what_became_of_them_is_said():
    used, left_out = near_duplicates_sentence(FOUND), near_duplicates_sentence(replace(FOUND, left_out=1))

    assert used.startswith("Near duplicates across splits: 1 of test looks like one of train.")
    assert "Not compared, because next to nothing is on them: 2 images." in used
    assert "--leave-out near-duplicates" in used
    assert "1 image of train and validation was left out for that." in left_out
    assert "--leave-out" not in left_out


def test_what_a_sweep_keeps_of_them_is_read_as_it_was():
    assert parsed(NearDuplicates, to_json(FOUND)) == FOUND
