import struct

import cv2
import numpy as np
import pytest
from PIL import Image

from sweep.datasets.decoders import recipe
from sweep.datasets.decoders.recipe import STRETCH, ImageFileError
from sweep.datasets.decoders.recipe_1 import resize
from tests.trees import PIXELS, PNG, RGB, chunk, encoded

GREY = PIXELS[..., 0]

in_each = pytest.mark.parametrize("number", [1, 2])


def decode(number: int, data: bytes) -> np.ndarray:
    return recipe(number).decode_to(data, None, STRETCH).pixels


def with_chunk(png: bytes, kind: bytes, body: bytes) -> bytes:
    """The PNG with one more chunk after its header."""
    return png[:33] + chunk(kind, body) + png[33:]


def turned(kind: str) -> bytes:
    """The pixels stored on their side, with the EXIF orientation that puts them up."""
    image = Image.fromarray(np.rot90(PIXELS).copy())
    exif = image.getexif()
    exif[0x0112] = 6
    return encoded(image, kind, exif=exif)


def sixteen_bits(kind: str, pixels: np.ndarray) -> bytes:
    return cv2.imencode(f".{kind}", pixels)[1].tobytes()


WIDE = PIXELS.astype(np.uint16) * 257
ALPHA = np.dstack([PIXELS, np.where(GREY > 127, 255, 0).astype(np.uint8)])
OVER_WHITE = np.where(ALPHA[..., 3:] == 255, PIXELS, 255)

GOOD = {
    "rgb": (PNG, PIXELS),
    "bmp": (encoded(RGB, "BMP"), PIXELS),
    "tiff": (encoded(RGB, "TIFF"), PIXELS),
    "webp": (encoded(RGB, "WEBP", lossless=True), PIXELS),
    "with junk behind": (PNG + b"junk", PIXELS),
    "grey": (encoded(Image.fromarray(GREY)), np.dstack([GREY] * 3)),
    "1 bit": (encoded(Image.fromarray(GREY > 127)), np.dstack([np.where(GREY > 127, 255, 0)] * 3)),
    "palette": (encoded(RGB.quantize(64)), np.asarray(RGB.quantize(64).convert("RGB"))),
    "rgba": (encoded(Image.fromarray(ALPHA)), OVER_WHITE),
    "webp with alpha": (encoded(Image.fromarray(ALPHA), "WEBP", lossless=True), OVER_WHITE),
    "grey and alpha": (
        encoded(Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(ALPHA[..., 3].copy())])),
        np.dstack([np.where(ALPHA[..., 3] == 255, GREY, 255)] * 3),
    ),
    "one transparent colour": (
        with_chunk(PNG, b"tRNS", struct.pack(">HHH", *map(int, PIXELS[0, 0]))),
        np.where((PIXELS[0, 0] == PIXELS).all(-1, keepdims=True), 255, PIXELS),
    ),
    "16-bit png": (sixteen_bits("png", WIDE[..., ::-1]), PIXELS),
    "16-bit tiff": (sixteen_bits("tiff", WIDE[..., ::-1]), PIXELS),
    "16-bit grey": (sixteen_bits("png", WIDE[..., 0]), np.dstack([GREY] * 3)),
    "16-bit grey tiff": (sixteen_bits("tiff", WIDE[..., 0]), np.dstack([GREY] * 3)),
    "16-bit rgba": (sixteen_bits("png", (ALPHA.astype(np.uint16) * 257)[..., [2, 1, 0, 3]]), OVER_WHITE),
    "16 bits are rounded": (
        sixteen_bits("png", np.array([[0, 128, 129, 385, 386, 65535]], np.uint16)),
        np.dstack([np.array([[0, 0, 1, 1, 2, 255]])] * 3),
    ),
    "gamma is ignored": (with_chunk(PNG, b"gAMA", struct.pack(">I", 100000)), PIXELS),
    "turned png": (turned("PNG"), PIXELS),
    "turned tiff": (turned("TIFF"), PIXELS),
}


@in_each
@pytest.mark.parametrize("name", GOOD)
def test_every_kind_of_image_becomes_rgb_by_one_rule(name, number):
    data, expected = GOOD[name]

    decoded = recipe(number).decode_to(data, None, STRETCH)

    assert (decoded.pixels.dtype, decoded.pixels.ndim) == (np.uint8, 3)
    np.testing.assert_array_equal(decoded.pixels, expected)
    assert decoded.size == recipe(number).size_of(data) == expected.shape[:2]


@in_each
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_jpeg_is_decoded_in_every_mode(mode, number):
    flat = Image.new("RGB", (16, 16), (200, 100, 50)).convert(mode)
    assert np.abs(decode(number, encoded(flat, "JPEG")).astype(int) - np.asarray(flat.convert("RGB"))).max() <= 3


@in_each
def test_the_jpeg_of_a_phone_with_a_second_picture_in_it_is_its_first(number):
    flat = Image.new("RGB", (16, 16), (200, 100, 50))
    phone = encoded(flat, "MPO", save_all=True, append_images=[Image.new("RGB", (16, 16))])
    assert np.abs(decode(number, phone).astype(int) - np.asarray(flat)).max() <= 3


@in_each
def test_a_jpeg_is_put_upright(number):
    assert decode(number, turned("JPEG")).shape == PIXELS.shape


@in_each
@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns of a cut TIFF before it refuses it
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP"])
def test_an_image_cut_anywhere_is_refused(kind, number):
    data = encoded(RGB, kind)
    padding = 3 if kind == "BMP" else 0  # the last row has no pixel in its last bytes
    for end in range(len(data) - padding):
        with pytest.raises(ImageFileError):
            decode(number, data[:end])


@in_each
def test_a_png_with_any_bit_flipped_is_refused(number):
    for place in range(8 * len(PNG)):
        flipped = bytearray(PNG)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises(ImageFileError):
            decode(number, bytes(flipped))


@in_each
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "TIFF", "BMP"])
def test_any_bit_flipped_in_a_file_without_checksums_is_an_image_or_refused(kind, number):
    data = encoded(RGB, kind)
    for place in range(0, 8 * len(data), 3):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        try:
            image = decode(number, bytes(flipped))
        except ImageFileError:
            continue
        assert (image.dtype, image.shape[2]) == (np.uint8, 3)


@in_each
def test_an_image_is_stretched_to_the_size_that_is_asked_for(number):
    for size in ((3, 9), (10, 14), (5, 7)):
        decoded = recipe(number).decode_to(PNG, size, STRETCH)

        np.testing.assert_array_equal(decoded.pixels, resize(PIXELS, size))
        assert decoded.size == PIXELS.shape[:2]


def test_resizing_averages_down_and_interpolates_up():
    board = np.indices((8, 8)).sum(0)[..., None].repeat(3, -1) % 2 * 200
    assert (resize(board.astype(np.uint8), (4, 4)) == 100).all()
    assert resize(PIXELS, (10, 14)).shape == (10, 14, 3)
    assert resize(PIXELS, (5, 7)) is PIXELS
