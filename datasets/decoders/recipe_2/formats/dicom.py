"""The format DICOM, the images of hospitals, decoded by the optional package pydicom.

Grey values become what a viewer shows first: they go through the file's own rescaling and its first window. Without a
window, the range is from the least to the largest value that the bits can hold, or, if the values were rescaled or have
a sign, that of the image. MONOCHROME1 is inverted so that more is brighter. JPEG 2000 and lossless JPEG within the file
need further packages.
"""

import io
import re
from typing import Any

import numpy as np

from sweep.datasets.decoders.recipe import ImageFileError, MissingPackageError
from sweep.datasets.decoders.recipe_2.formats import FIRST_FRAME, TO_8_BITS, Format, Opened, Pixels

BEGINS = re.compile(rb".{128}DICM", re.DOTALL)
INSTALL = "pip install pydicom==3.0.2"


def _open(data: bytes) -> Opened:
    try:
        import pydicom
    except ImportError as error:
        raise MissingPackageError("a DICOM image", "pydicom", INSTALL) from error
    header = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
    if "Rows" not in header or "Columns" not in header:
        raise ImageFileError("must have pixels, got a DICOM file without")
    return Opened((int(header.Rows), int(header.Columns)), lambda _: _decode(data))


def _decode(data: bytes) -> Pixels:
    import pydicom
    from pydicom.pixels import apply_color_lut, pixel_array

    header = pydicom.dcmread(io.BytesIO(data))
    remarks = [FIRST_FRAME] if int(header.get("NumberOfFrames") or 1) > 1 else []
    try:
        samples = pixel_array(header, index=0)  # colours are returned as RGB, however they are stored
    except (RuntimeError, NotImplementedError) as error:
        way_out = "pip install pylibjpeg pylibjpeg-openjpeg, or store it without compression"
        rule = f"DICOM must be stored in a way that can be decoded, got: {error}"
        raise ImageFileError(rule, way_out, cause=str(header.file_meta.get("TransferSyntaxUID"))) from error
    if header.PhotometricInterpretation == "PALETTE COLOR":
        samples = apply_color_lut(samples, header)
    if samples.ndim == 2:
        pixels = np.repeat(_display_values(samples, header)[..., None], 3, 2)
        return pixels, (*remarks, TO_8_BITS) if samples.dtype.itemsize > 1 else tuple(remarks)
    if samples.dtype != np.uint8:
        samples = np.rint(samples / (2**16 - 1) * 255).astype(np.uint8)
        remarks.append(TO_8_BITS)
    return np.ascontiguousarray(samples[..., :3]), tuple(remarks)


def _display_values(samples: np.ndarray, header: Any) -> np.ndarray:
    """Returns grey values as a viewer shows them, 0 to 255."""
    from pydicom.pixels import apply_modality_lut, apply_voi_lut

    values = apply_modality_lut(samples, header)
    is_rescaled = values is not samples
    if header.get("WindowWidth") is not None or "VOILUTSequence" in header:
        values = apply_voi_lut(values, header, index=0)
        low, high = _range_of_window(values, header)
    elif is_rescaled or header.PixelRepresentation == 1:
        low, high = float(values.min()), float(values.max())
    else:
        low, high = 0.0, float(2**header.BitsStored - 1)
    scaled = np.clip((values - low) / max(high - low, 1e-12), 0, 1)
    if header.PhotometricInterpretation == "MONOCHROME1":
        scaled = 1 - scaled
    return np.rint(scaled * 255).astype(np.uint8)


def _range_of_window(values: np.ndarray, header: Any) -> tuple[float, float]:
    """Returns the range to which a window maps: that of the bits, or that of the image if a table maps the values."""
    if "VOILUTSequence" in header:
        return float(values.min()), float(values.max())
    slope, intercept = float(header.get("RescaleSlope", 1)), float(header.get("RescaleIntercept", 0))
    bits = int(header.BitsStored)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if header.PixelRepresentation == 1 else (0, 2**bits - 1)
    return low * slope + intercept, high * slope + intercept


FORMAT = Format("DICOM", BEGINS, _open)
