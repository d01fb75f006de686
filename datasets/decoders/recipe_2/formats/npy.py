"""The format of NumPy's arrays: raw pixels, (H, W), or (H, W, C) with 1, 3 or 4 channels."""

import io
import math
import re

import numpy as np

from sweep.datasets.decoders.recipe import ImageFileError
from sweep.datasets.decoders.recipe_2.formats import Format, Opened, Pixels
from sweep.datasets.decoders.recipe_2.samples import to_rgb

CHANNELS = (1, 3, 4)


def _open(data: bytes) -> Opened:
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    (shape, is_fortran, dtype), start = read(file), file.tell()
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] not in CHANNELS) or not all(shape):
        raise ImageFileError(f"must be an array of height x width, or with 3 or 4 channels behind, got {shape}")
    if dtype.hasobject:
        raise ImageFileError("must be an array of numbers, got one of objects")

    def decode(_: int) -> Pixels:
        count = math.prod(shape)
        if len(data) < start + count * dtype.itemsize:
            raise ImageFileError(f"must be a whole array, got {len(data):,} bytes")
        flat = np.frombuffer(data, dtype, count, start)
        samples = flat.reshape(shape, order="F" if is_fortran else "C")
        return to_rgb(samples.astype(dtype.newbyteorder("="), copy=False))

    return Opened((shape[0], shape[1]), decode)


FORMAT = Format("NPY", re.compile(rb"\x93NUMPY"), _open)
