"""Decides in which form the pixels of a data set are kept: by their size, and once for a whole sweep."""

from sweep.storage.sweep_file import FORMS

ARRAY, MAPPED, JPEG = FORMS

# Up to this many bytes, pixels are an array in memory: 21,000 images of 64 px, or 340,000 of 16 px. The workers of a
# node share the array, it is copied to a GPU in one go, and a training step needs no system call for each image.
ARRAY_BYTES = 256 << 20

# Above this many bytes, pixels are kept as JPEG, unless `--cache-limit` says otherwise. 100,000 photographs at 224 px
# take 15 GB, and the 1.28 million of ImageNet at 64 px take 16 GB: they are kept uncompressed. ImageNet at 224 px would
# take 193 GB, for which few disks have room and no machine has the memory; as JPEG it takes 30 to 40 GB.
CACHE_LIMIT = 40 * 10**9


def form_of(nbytes: int, cache_limit: int | None, sweep_form: str | None) -> str:
    """Returns the form in which pixels of this many bytes are kept.

    Args:
      nbytes: size of the uncompressed pixels.
      cache_limit: bytes above which pixels are kept as JPEG; None for `CACHE_LIMIT`.
      sweep_form: the form with which the sweep began; None for a new sweep. If it is not JPEG, the result is not JPEG
        either, but array and mapped file may take each other's place, because they hold the same pixels.
    """
    limit = CACHE_LIMIT if cache_limit is None else cache_limit
    is_jpeg = nbytes > limit if sweep_form is None else sweep_form == JPEG
    return JPEG if is_jpeg else ARRAY if nbytes <= ARRAY_BYTES else MAPPED
