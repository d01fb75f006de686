"""HEIC and HEIF, the photographs of many phones, by the optional package pi-heif.

Its wheel holds libheif and libde265, both under the LGPL; that of pillow-heif has an encoder under the GPL beside them.
"""

import io
import re

import numpy as np

from datasets.decoders.recipe import ImageError
from datasets.decoders.recipe_2.formats import Format, Opened, Pixels
from datasets.decoders.recipe_2.samples import to_rgb

BEGINS = re.compile(rb"....ftyp(hei[cxms]|hev[cxms]|mif1|msf1)", re.DOTALL)
INSTALL = "pip install pi-heif==1.4.0"


def _open(data: bytes) -> Opened:
    try:
        import pi_heif
    except ImportError as error:
        raise ImageError("HEIC must be read by the package pi-heif, which is not installed", INSTALL) from error
    image = pi_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True)  # upright: its turns are part of the format

    def decode(_: int) -> Pixels:
        return to_rgb(np.asarray(image))

    width, height = image.size
    return Opened((height, width), decode)


FORMAT = Format("HEIC", BEGINS, _open)
