"""DICOM becomes what a viewer shows first."""

import io
import sys

import numpy as np
import pytest

from sweep.datasets.decoders import recipe
from sweep.datasets.decoders.recipe import STRETCH, ImageFileError
from sweep.datasets.decoders.recipe_2.formats import FIRST_FRAME, TO_8_BITS

RECIPE = recipe(2)
RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 4096, (6, 9)).astype(np.uint16)  # of 12 bits
RGB = RNG.integers(0, 256, (6, 9, 3), dtype=np.uint8)


def dicom(pixels: np.ndarray, **fields: object) -> bytes:
    """A file without compression."""
    pydicom = pytest.importorskip("pydicom")
    from pydicom.uid import ExplicitVRLittleEndian

    meta = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1", "1.2.3"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = pydicom.dataset.FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    is_rgb = pixels.ndim == 3 and pixels.shape[2] == 3
    data.Rows, data.Columns = pixels.shape[:2] if is_rgb else pixels.shape[-2:]
    data.SamplesPerPixel, data.PhotometricInterpretation = (3, "RGB") if is_rgb else (1, "MONOCHROME2")
    if is_rgb:
        data.PlanarConfiguration = 0
    elif pixels.ndim == 3:
        data.NumberOfFrames = len(pixels)
    data.BitsAllocated = 8 * pixels.dtype.itemsize
    data.BitsStored = 12 if pixels.dtype.itemsize == 2 else 8
    data.HighBit, data.PixelRepresentation = data.BitsStored - 1, int(pixels.dtype.kind == "i")
    for name, value in fields.items():
        setattr(data, name, value)
    data.PixelData = pixels.tobytes()
    file = io.BytesIO()
    data.save_as(file, enforce_file_format=True)
    return file.getvalue()


def scaled(values: np.ndarray, least: float, most: float) -> np.ndarray:
    return np.rint(np.clip((values.astype(float) - least) / (most - least), 0, 1) * 255)[..., None].repeat(3, 2)


SIGNED = GREY.astype(np.int16) - 2048
CASES = {
    "all bits": (lambda: dicom(GREY), scaled(GREY, 0, 4095), (TO_8_BITS,)),
    "dark is more": (
        lambda: dicom(GREY, PhotometricInterpretation="MONOCHROME1"),
        scaled(4095 - GREY.astype(int), 0, 4095),
        (TO_8_BITS,),
    ),
    "a sign": (lambda: dicom(SIGNED), scaled(SIGNED, SIGNED.min(), SIGNED.max()), (TO_8_BITS,)),
    "a window": (
        lambda: dicom(GREY, WindowCenter=1000.5, WindowWidth=1001),
        scaled(GREY, 500, 1500),
        (TO_8_BITS,),
    ),
    "the first of two windows, rescaled": (
        lambda: dicom(GREY, WindowCenter=[40.5, 300], WindowWidth=[401, 9], RescaleSlope=1, RescaleIntercept=-1024),
        scaled(GREY.astype(int) - 1024, -160, 240),
        (TO_8_BITS,),
    ),
    "8 bits": (lambda: dicom(RGB[..., 0].copy()), RGB[..., :1].repeat(3, 2), ()),
    "colour": (lambda: dicom(RGB), RGB, ()),
    "several frames": (lambda: dicom(np.stack([GREY, GREY[::-1]])), scaled(GREY, 0, 4095), (FIRST_FRAME, TO_8_BITS)),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_decoded(name):
    write, pixels, remarks = CASES[name]
    data = write()
    decoded = RECIPE.decode_to(data, None, STRETCH)
    assert RECIPE.size_of(data) == decoded.size == (6, 9)
    assert np.abs(decoded.pixels.astype(int) - pixels).max() <= 1
    assert decoded.remarks == remarks


@pytest.mark.parametrize("cut", [140, 400, -50])
def test_a_cut_file_is_refused(cut):
    data = dicom(GREY)[:cut]
    with pytest.raises(ImageFileError):
        RECIPE.decode_to(data, None, STRETCH)


def test_without_its_package_the_line_that_installs_it_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(
        ImageFileError, match="is a DICOM image, for which the package pydicom must be installed"
    ) as caught:
        RECIPE.decode_to(bytes(128) + b"DICM" + bytes(100), None, STRETCH)
    assert caught.value.way_out == "install it: pip install pydicom==3.0.2"
