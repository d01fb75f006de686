"""The formats HEIC and HEIF, the photographs of many phones, decoded by the optional package pi-heif.

Its wheel contains libheif and libde265, both under the LGPL; that of pillow-heif also contains an encoder under the
GPL.
"""

import io
import re

from sweep.datasets.decoders.recipe import MissingPackageError
from sweep.datasets.decoders.recipe_2.by_pillow import pixels_of
from sweep.datasets.decoders.recipe_2.formats import Format, Opened

BEGINS = re.compile(rb"....ftyp(hei[cxms]|hev[cxms]|mif1|msf1)", re.DOTALL)
INSTALL = "pip install pi-heif==1.4.0"


def _open(data: bytes) -> Opened:
    try:
        import pi_heif
    except ImportError as error:
        raise MissingPackageError("a HEIC image", "pi-heif", INSTALL) from error
    # already upright, because turning is a part of the format
    image = pi_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True)

    width, height = image.size
    # The image's array is not used: it refers to memory that the image may free before the array is read.
    return Opened((height, width), lambda _: pixels_of(image.to_pillow()))


FORMAT = Format("HEIC", BEGINS, _open)
