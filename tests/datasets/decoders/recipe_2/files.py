"""Images of a smooth pattern in every format, as bytes."""

import io
import struct
from typing import Any

import numpy as np
from PIL import Image

Y, X = np.mgrid[:48, :64]
PIXELS = np.stack([X * 3, Y * 5, X + Y], 2).astype(np.uint8)  # (48, 64, 3)
GREY = PIXELS[..., 0]
ALPHA = np.dstack([PIXELS, np.where(X > 30, 255, 90).astype(np.uint8)])


def encoded(pixels: np.ndarray, kind: str, others: tuple[np.ndarray, ...] = (), **options: Any) -> bytes:
    """Returns a file of Pillow's; with others, of several frames or pages."""
    file = io.BytesIO()
    more = {"save_all": True, "append_images": [Image.fromarray(other) for other in others]} if others else {}
    Image.fromarray(pixels).save(file, kind, **more, **options)
    return file.getvalue()


def array(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, pixels)
    return file.getvalue()


def tiff(samples: np.ndarray, colours: int, extra: tuple[int, ...] = (), kind: int = 1) -> bytes:
    """Returns an uncompressed TIFF of (H, W, bands); `extra` is what it says of the bands beside the colours."""
    height, width, bands = samples.shape
    tags = {
        256: (width,),
        257: (height,),
        258: (8 * samples.dtype.itemsize,) * bands,
        259: (1,),
        262: (colours,),
        273: (0,),
        277: (bands,),
        278: (height,),
        279: (samples.nbytes,),
        338: extra,
        339: (kind,) * bands,
    }
    tags = {tag: values for tag, values in tags.items() if values}
    after = 8 + 2 + 12 * len(tags) + 4
    long = {tag: struct.pack(f"<{len(values)}H", *values) for tag, values in tags.items() if len(values) > 2}
    places = {tag: after + sum(map(len, list(long.values())[:number])) for number, tag in enumerate(long)}
    tags[273] = (after + sum(map(len, long.values())),)
    entries = [
        struct.pack("<HHII", tag, 3, len(values), places[tag])
        if tag in long
        else struct.pack("<HHI", tag, 4 if len(values) == 1 else 3, len(values))
        + struct.pack("<I" if len(values) == 1 else "<HH", *values)
        for tag, values in tags.items()
    ]
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags))
    return b"".join(
        [head, *entries, bytes(4), *long.values(), samples.astype(samples.dtype.newbyteorder("<")).tobytes()]
    )
