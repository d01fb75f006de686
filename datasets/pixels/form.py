"""In which form the pixels of a data set are kept: it follows from their size, and is fixed for a sweep."""

from sweep.storage.sweep_file import FORMS

ARRAY, MAPPED, JPEG = FORMS

# Up to here an array in memory: 21,000 images of 64 px, or 340,000 of 16 px. It is shared by the workers of a node, is
# copied to a GPU in one go, and a training step takes its images without a call of the operating system for each.
ARRAY_BYTES = 256 << 20

# From here JPEG, unless `--cache-limit` says something else. 100,000 photographs at 224 px are 15 GB, and ImageNet's
# 1.28 million at 64 px 16 GB: they stay as they are. ImageNet at 224 px would be 193 GB, which few disks have to spare
# and no machine's memory keeps near; as JPEG it is 30 to 40.
CACHE_LIMIT = 40 * 10**9


def form_of(nbytes: int, cache_limit: int | None, recorded: str | None) -> str:
    """Returns the form of so many bytes of pixels.

    Args:
      cache_limit: bytes above which pixels are kept as JPEG; None for `CACHE_LIMIT`.
      recorded: the form that a sweep began with; None for a new one. Array and mapped file hold the same pixels, and
        may take each other's place.
    """
    limit = CACHE_LIMIT if cache_limit is None else cache_limit
    is_jpeg = nbytes > limit if recorded is None else recorded == JPEG
    return JPEG if is_jpeg else ARRAY if nbytes <= ARRAY_BYTES else MAPPED
