import cv2
import numpy as np
import pytest

from sweep.datasets.decoders import recipe
from sweep.datasets.decoders.recipe import CROP, PAD, STRETCH, ImageFileError
from sweep.datasets.decoders.recipe_2.formats import Format, Opened, formats
from tests.datasets.decoders.recipe_2.files import PIXELS, array, encoded

RECIPE = recipe(2)


def fitted(pixels: np.ndarray, size: tuple[int, int], fit: str) -> np.ndarray:
    return RECIPE.decode_to(array(pixels), size, fit).pixels


def stretched(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns what averaging over areas makes of pixels."""
    return cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_AREA)


def test_stretching_takes_the_whole_image_and_leaves_nothing_free():
    np.testing.assert_array_equal(fitted(PIXELS, (16, 16), STRETCH), stretched(PIXELS, (16, 16)))


@pytest.mark.parametrize(
    ("size", "part"),
    [
        ((16, 16), np.s_[:, 8:56]),  # of 48 x 64 px: the ends of the width are lost
        ((24, 32), np.s_[:, :]),
        ((12, 48), np.s_[16:32, :]),  # a wide size: those of the height
    ],
)
def test_a_crop_is_the_middle_with_the_shape_that_is_asked_for(size, part):
    np.testing.assert_array_equal(fitted(PIXELS, size, CROP), stretched(np.ascontiguousarray(PIXELS[part]), size))


def test_padding_puts_the_whole_image_in_the_middle_of_grey():
    padded = fitted(PIXELS, (32, 32), PAD)

    np.testing.assert_array_equal(padded[4:28], stretched(PIXELS, (24, 32)))
    assert (padded[:4] == 128).all()
    assert (padded[28:] == 128).all()


@pytest.mark.parametrize("fit", [STRETCH, CROP, PAD])
@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 1), (3, 500), (64, 64), (63, 65)])
def test_every_shape_comes_to_every_size(fit, shape):
    pixels = np.full((*shape, 3), 200, np.uint8)
    for size in ((64, 64), (2, 7), (500, 3)):
        out = fitted(pixels, size, fit)
        assert out.shape == (*size, 3)
        assert set(np.unique(out)) <= ({128, 200} if fit == PAD else {200})
        assert 200 in out


@pytest.mark.parametrize("fit", [STRETCH, CROP, PAD])
@pytest.mark.parametrize("kind", ["JPEG", "JPEG2000"])
def test_a_photograph_that_is_decoded_smaller_looks_like_the_whole_made_smaller(kind, fit):
    photo = cv2.resize(PIXELS, (1301, 907), interpolation=cv2.INTER_CUBIC)
    data = encoded(photo, kind)
    whole = RECIPE.decode_to(data, None, STRETCH).pixels

    for size in ((32, 32), (20, 50), (64, 64)):
        decoded = RECIPE.decode_to(data, size, fit)

        assert decoded.size == (907, 1301)
        difference = np.abs(decoded.pixels.astype(int) - fitted(whole, size, fit))
        assert difference.mean() < 1.5


@pytest.mark.parametrize(("side", "shrink"), [(227, 1), (226, 2), (113, 4), (56, 8), (30, 8)])
def test_a_jpeg_is_decoded_as_small_as_leaves_twice_the_size_to_be_averaged(monkeypatch, side, shrink):
    asked = []
    data = encoded(np.zeros((907, 1301, 3), np.uint8), "JPEG")
    known = next(each for each in formats() if each.name == "JPEG")

    def opened(data):
        found = known.open(data)
        return Opened(found.size, lambda by: asked.append(by) or found.decode(by), found.shrinks)

    watched = [Format(known.name, known.begins, opened)]
    monkeypatch.setattr("sweep.datasets.decoders.recipe_2.formats", lambda: watched)

    RECIPE.decode_to(data, (side, side), STRETCH)

    assert asked == [shrink]


def test_a_header_that_promises_another_size_than_there_is_is_refused(monkeypatch):
    data = encoded(PIXELS, "JPEG")
    known = Format("JPEG", formats()[1].begins, lambda data: Opened((9, 9), lambda by: (PIXELS, ())))
    monkeypatch.setattr("sweep.datasets.decoders.recipe_2.formats", lambda: [known])

    with pytest.raises(ImageFileError, match="must be as large as its header says, 9 x 9, got 64 x 48"):
        RECIPE.decode_to(data, None, STRETCH)
