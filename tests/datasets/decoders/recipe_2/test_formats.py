import base64
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from sweep.datasets.decoders import recipe
from sweep.datasets.decoders.recipe import STRETCH, ImageFileError
from sweep.datasets.decoders.recipe_2.formats import (
    EXTRA_BAND,
    FIRST_FRAME,
    FROM_CMYK,
    NAMES,
    ON_WHITE,
    TO_8_BITS,
    formats,
)
from tests.datasets.decoders.recipe_2.files import ALPHA, GREY, PIXELS, array, encoded, tiff

RECIPE = recipe(2)
WIDE = PIXELS.astype(np.uint16) * 257
SHARE = PIXELS / 255
NEXT = np.roll(PIXELS, 7, 1), np.roll(PIXELS, 9, 1)
THRICE = np.dstack([GREY] * 3)
BGR = [2, 1, 0]


def palette(kind: str, **options) -> tuple[bytes, np.ndarray, tuple[str, ...]]:
    image = Image.fromarray(PIXELS).quantize(64)
    return encoded_image(image, kind, **options), np.asarray(image.convert("RGB")), ()


def encoded_image(image: Image.Image, kind: str, **options) -> bytes:
    import io

    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


KINDS = {  # bytes, pixels, remarks
    "gif": palette("GIF"),
    "animated webp": (encoded(PIXELS, "WEBP", NEXT, lossless=True), PIXELS, (FIRST_FRAME,)),
    "animated png": (encoded(PIXELS, "PNG", NEXT), PIXELS, (FIRST_FRAME,)),
    "animated png with a picture for where none plays": (
        encoded(PIXELS, "PNG", NEXT, default_image=True),
        PIXELS,
        (FIRST_FRAME,),
    ),
    "tiff of three pages": (encoded(PIXELS, "TIFF", NEXT), PIXELS, (FIRST_FRAME,)),
    "float tiff": (cv2.imencode(".tiff", SHARE[..., BGR].astype(np.float32))[1].tobytes(), PIXELS, (TO_8_BITS,)),
    "double tiff": (cv2.imencode(".tiff", SHARE[..., BGR])[1].tobytes(), PIXELS, (TO_8_BITS,)),
    "grey float tiff": (cv2.imencode(".tiff", SHARE[..., 0].astype(np.float32))[1].tobytes(), THRICE, (TO_8_BITS,)),
    "cmyk tiff": (encoded_image(Image.fromarray(PIXELS).convert("CMYK"), "TIFF"), PIXELS, (FROM_CMYK,)),
    "palette tiff": palette("TIFF"),
    "tiff with infrared": (tiff(ALPHA, 2, (0,)), PIXELS, (EXTRA_BAND,)),
    "16-bit tiff with infrared": (tiff(ALPHA.astype(np.uint16) * 257, 2, (0,)), PIXELS, (TO_8_BITS, EXTRA_BAND)),
    "ppm": (encoded(PIXELS, "PPM"), PIXELS, ()),
    "pgm": (encoded(GREY, "PPM"), THRICE, ()),
    "pbm": (encoded(GREY > 99, "PPM"), np.where(THRICE > 99, 255, 0), ()),
    "16-bit pgm": (b"P5 64 48 65535\n" + WIDE[..., 0].astype(">u2").tobytes(), THRICE, (TO_8_BITS,)),
    "ppm as text": (b"P3 64 48 255\n" + b" ".join(b"%d" % value for value in PIXELS.ravel()), PIXELS, ()),
    "pfm": (b"Pf\n64 48\n-1.0\n" + SHARE[::-1, :, 0].astype("<f4").tobytes(), THRICE, (TO_8_BITS,)),
    "tga": (encoded(PIXELS, "TGA"), PIXELS, ()),
    "packed tga": (encoded(PIXELS, "TGA", compression="tga_rle"), PIXELS, ()),
    "grey tga": (encoded(GREY, "TGA"), THRICE, ()),
    "palette tga": palette("TGA"),
    "jp2": (encoded(PIXELS, "JPEG2000"), PIXELS, ()),
    "j2k": (encoded(PIXELS, "JPEG2000", no_jp2=True), PIXELS, ()),
    "16-bit jp2": (cv2.imencode(".jp2", WIDE[..., 0])[1].tobytes(), THRICE, (TO_8_BITS,)),
    "array": (array(PIXELS), PIXELS, ()),
    "array in Fortran's order": (array(np.asfortranarray(PIXELS)), PIXELS, ()),
    "grey array": (array(GREY), THRICE, ()),
    "grey array with an axis more": (array(GREY[..., None]), THRICE, ()),
    "array of truths": (array(GREY > 99), np.where(THRICE > 99, 255, 0), ()),
    "16-bit array": (array(WIDE.astype(">u2")), PIXELS, (TO_8_BITS,)),
    "array of floats": (array(SHARE), PIXELS, (TO_8_BITS,)),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_format_becomes_rgb_by_one_rule(name):
    data, expected, remarks = KINDS[name]

    decoded = RECIPE.decode_to(data, None, STRETCH)

    np.testing.assert_array_equal(decoded.pixels, expected)
    assert decoded.remarks == remarks
    assert decoded.size == RECIPE.size_of(data) == expected.shape[:2]


TRANSPARENT = {
    "png": encoded(ALPHA, "PNG"),
    "png with text": encoded(ALPHA, "PNG", pnginfo=None, dpi=(72, 72)),
    "tiff": encoded(ALPHA, "TIFF"),
    "tiff that says nothing of its fourth band": tiff(ALPHA, 2),
    "16-bit tiff": tiff(ALPHA.astype(np.uint16) * 257, 2, (2,)),
    "tga": encoded(ALPHA, "TGA"),
    "webp": encoded(ALPHA, "WEBP", lossless=True),
    "array": array(ALPHA),
}


@pytest.mark.parametrize("name", TRANSPARENT)
def test_transparency_is_laid_over_white(name):
    decoded = RECIPE.decode_to(TRANSPARENT[name], None, STRETCH)

    share = ALPHA[..., 3:] / 255
    assert np.abs(decoded.pixels - (PIXELS * share + 255 * (1 - share))).max() <= 1
    assert ON_WHITE in decoded.remarks


def test_what_has_an_alpha_channel_but_is_opaque_is_used_without_a_remark():
    opaque = np.dstack([PIXELS, np.full_like(GREY, 255)])
    for data in (encoded(opaque, "PNG"), encoded(opaque, "WEBP", lossless=True), array(opaque)):
        decoded = RECIPE.decode_to(data, None, STRETCH)
        np.testing.assert_array_equal(decoded.pixels, PIXELS)
        assert decoded.remarks == ()


def test_of_an_animated_gif_the_first_frame_is_used():
    decoded = RECIPE.decode_to(encoded(PIXELS, "GIF", NEXT), None, STRETCH)

    assert np.abs(decoded.pixels.astype(int) - PIXELS).mean() < 8  # 256 colours
    assert decoded.remarks == (FIRST_FRAME,)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_every_turn_in_exif_is_undone(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(PIXELS, kind, exif=exif, **{"lossless": True} if kind == "WEBP" else {})
    turns = {5: np.s_[:, :], 6: np.s_[::-1], 7: np.s_[::-1, ::-1], 8: np.s_[:, ::-1]}
    flips = {1: np.s_[:, :], 2: np.s_[:, ::-1], 3: np.s_[::-1, ::-1], 4: np.s_[::-1]}
    upright = PIXELS[flips[orientation]] if orientation < 5 else PIXELS[turns[orientation]].swapaxes(0, 1)

    decoded = RECIPE.decode_to(data, None, STRETCH)

    assert decoded.size == RECIPE.size_of(data) == upright.shape[:2]
    assert np.abs(decoded.pixels.astype(int) - upright).mean() < 4


def test_exif_that_cannot_be_read_turns_nothing():
    decoded = RECIPE.decode_to(encoded(PIXELS, "JPEG", exif=b"Exif\0\0II*\0\xff"), None, STRETCH)

    assert decoded.size == (48, 64)


BANDS = "must have 1 band, or red, green and blue with at most one more"
REFUSED = {
    "13 bands": (tiff(np.repeat(WIDE[..., :1], 13, 2), 1), f"{BANDS}, got 13 bands"),
    "4 bands of no colour": (tiff(ALPHA, 1, (0, 0, 0)), f"{BANDS}, got 4 bands"),
    "2 bands of no colour": (tiff(ALPHA[..., :2], 1, (0,)), f"{BANDS}, got 2 bands"),
    "numbers with a sign": (tiff(PIXELS.astype(np.int16), 2, kind=2), "without a sign, got numbers with a sign"),
    "32 bits": (tiff(GREY[..., None].astype(np.uint32), 1), "must have 8 or 16 bits a channel, got 32"),
    "floats above 1": (
        cv2.imencode(".tiff", PIXELS.astype(np.float32))[1].tobytes(),
        "must have values from 0 to 1 where they are floats, got 0 to 235",
    ),
    "not a number": (array(np.full((2, 2), np.nan)), "must have values from 0 to 1 where they are floats"),
    "an array of 64-bit numbers": (array(PIXELS.astype(int)), "must have 8 or 16 bits a channel without a sign"),
    "channels first": (array(PIXELS.transpose(2, 0, 1)), r"with 3 or 4 channels behind, got \(3, 48, 64\)"),
    "an array of objects": (array(np.array([[None, 1]], object)), "must be an array of numbers, got one of objects"),
    "a cut array": (array(PIXELS)[:-1], "must be a whole array"),
    "no pixels": (array(PIXELS[:0]), "must be an array"),
    "an icon": (encoded(PIXELS, "ICO"), "must be a PNG, JPEG, .* or TGA image, got a file that begins with"),
    "a web page": (b"<!DOCTYPE html><html>", "must be an image, got a web page, not the file itself"),
    "zeros": (bytes(100), "got a file that begins with"),
    "nothing": (b"", "must be an image, got an empty file"),
    "many scans": (
        encoded(PIXELS, "JPEG", progressive=True)[:-2] + b"\xff\xda" * 200 + b"\xff\xd9",
        "must have at most 200 scans, got 209",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_image_to_train_on_is_refused_by_name(name):
    data, message = REFUSED[name]
    with pytest.raises(ImageFileError, match=message):
        RECIPE.decode_to(data, None, STRETCH)


BOX = b"\x00\x00\x00\x18ftypheic" + bytes(12)
XL = b"\xff\x0a" + bytes([0b0001111 << 1 | 1, 0b00100000 | 0, 0, 0])


@pytest.mark.parametrize(("package", "data"), [("pi_heif", BOX), ("imagecodecs", XL)])
def test_a_format_whose_package_is_missing_names_it(monkeypatch, package, data):
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(ImageFileError, match="must be installed") as caught:
        RECIPE.decode_to(data, None, STRETCH)

    assert caught.value.way_out.startswith(f"install it: pip install {package.replace('_', '-')}==")


HEIC = base64.b64decode(  # 16x12 px, orange on the left, blue on the right; nothing that is installed writes one
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAXxtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAA"
    "ACJpbG9jAAAAAERAAAEAAQAAAAABoAABAAAAAAAAAD8AAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRt"
    "AAAAAAABAAAA/GlwcnAAAADcaXBjbwAAAHVodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMA"
    "AAMAHroCQGEAAQApQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbqrprm4CGgwIAAAAyAAAADAIRiAAEABkQBwXPBiQAAABNjb2xybmNs"
    "eAABAA0ABoAAAAAUaXNwZQAAAAAAAABAAAAAQAAAAChjbGFwAAAAEAAAAAEAAAAMAAAAAf///9AAAAAC////zAAAAAIAAAAQcGl4"
    "aQAAAAADCAgIAAAAGGlwbWEAAAAAAAAAAQABBYECAwWEAAAAR21kYXQAAAA7KAGvCchfGNAjmJbX/99HIKO4/9lEVzcx9Qpp92vL"
    "tQBePiXV64nd85XePFJiIupL93LVLsDjJldr2mw="
)


def test_heic_is_decoded():
    pytest.importorskip("pi_heif")

    decoded = RECIPE.decode_to(HEIC, None, STRETCH)

    assert decoded.size == RECIPE.size_of(HEIC) == (12, 16)
    assert np.abs(decoded.pixels[4:, [4, 11]].astype(int) - [(200, 100, 50), (20, 60, 220)]).max() < 25


def test_jpeg_xl_is_decoded():
    imagecodecs = pytest.importorskip("imagecodecs")
    for pixels, boxes in ((PIXELS, False), (PIXELS, True), (ALPHA, False), (GREY, False), (WIDE, False)):
        data = imagecodecs.jpegxl_encode(pixels, lossless=True, usecontainer=boxes)
        expected = RECIPE.decode_to(array(pixels), None, STRETCH)

        decoded = RECIPE.decode_to(data, None, STRETCH)

        np.testing.assert_array_equal(decoded.pixels, expected.pixels)
        assert decoded.remarks == expected.remarks
        assert RECIPE.size_of(data[:200]) == (48, 64)


def test_every_format_has_a_name_of_its_own_and_a_beginning_that_no_earlier_one_takes():
    assert len({each.name for each in formats()}) == len(NAMES)
    for data in (data for data, _, _ in KINDS.values()):
        known = [each.name for each in formats() if each.begins.match(data)]
        assert len(known) == 1, known
