"""HEIC and HEIF, the photographs of many phones, by the optional package pi-heif.

Its wheel holds libheif and libde265, both under the LGPL; that of pillow-heif has an encoder under the GPL beside them.
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
    image = pi_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True)  # upright: its turns are part of the format

    width, height = image.size
    # Not its array: that shows memory which the image may give back before it is read.
    return Opened((height, width), lambda _: pixels_of(image.to_pillow()))


FORMAT = Format("HEIC", BEGINS, _open)
