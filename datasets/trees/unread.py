"""Kinds of files that may hold images but cannot be read, and what the user can do about each."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sweep.datasets.problems import Problem
from sweep.storage.programs import spelled
from sweep.storage.text import counted


@dataclass(frozen=True)
class Unread:
    """A kind of file that cannot be read.

    Attributes:
      suffixes: its suffixes, in lower case.
      rule: why it is not read.
      way_out: what to do, with `{0}` for the file.
    """

    suffixes: tuple[str, ...]
    rule: str
    way_out: str


PICKLE = "a Python pickle"
UNREAD = {
    "a 7-Zip archive": Unread((".7z", ".7z.001"), "7-Zip archives are not read", "unpack it: 7z x {0}"),
    "a RAR archive": Unread((".rar",), "RAR archives are not read", "unpack it: unrar x {0}"),
    "a part of an archive": Unread(
        (".zip.001", ".z01", ".tar.001", ".tar.gz.001", ".tar.gz.00", ".tar.gzaa", ".partaa"),
        "archives in several parts are not read",
        "put them together and unpack them: 7z x {0} (.zip), or cat all parts > one.tar",
    ),
    "a Zstandard or LZ4 archive": Unread(
        (".zst", ".lz4", ".tar.z"), "files packed in this way are not read", "unpack it: unzstd {0}, or unlz4 {0}"
    ),
    PICKLE: Unread(
        (".pkl", ".pickle", ".p", ".joblib", ".pkl.gz", ".pickle.gz"),
        "a pickle is not read, for reading one runs the code in it",
        f"convert it: {spelled('unpickle')} {{0}} --out images.npz (reads arrays, lists and text, runs nothing)",
    ),
    "a PyTorch file": Unread(
        (".pt", ".pth"),
        "a PyTorch file is a pickle and is not read, for reading one runs the code in it",
        "save its arrays by numpy.savez(train_images=..., train_labels=...)",
    ),
    "an HDF5 file": Unread(
        (".h5", ".hdf5", ".hdf", ".he5"),
        "HDF5 files are read by an extra package, which is not installed",
        "install it: pip install h5py==3.16.0",
    ),
    "a MATLAB file": Unread(
        (".mat",),
        "a MATLAB file is read up to version 7, and this one is newer or damaged",
        "save it from MATLAB with -v7, images in one array (row, column, colour, image) and labels in another",
    ),
    "a TFRecord file": Unread(
        (".tfrecord", ".tfrec", ".tfrecords"),
        "TFRecord files are not read",
        "take the data set in another form, or write its images to files by tf.data.TFRecordDataset",
    ),
    "an Arrow file": Unread(
        (".arrow", ".feather"),
        "Arrow files are not read",
        "write them as Parquet, from Hugging Face's format: load_from_disk(...).to_parquet(...)",
    ),
    "an LMDB database": Unread(
        ("data.mdb", ".lmdb"), "LMDB databases are not read", "write its images to files, a folder a class"
    ),
    "a binary file": Unread(
        (".bin",),
        "files of raw bytes are not read, for nothing in them says what they are",
        "read it by numpy.fromfile(FILE, 'uint8'), reshape it as its description says to (images, rows, columns, 3), "
        "and save it by numpy.savez(train_images=..., train_labels=...); or take the data set in another form",
    ),
    "a spreadsheet": Unread(
        (".xlsx", ".xls", ".ods", ".numbers"), "spreadsheets are not read", "save the sheet with the labels as a .csv"
    ),
    "a video": Unread(
        (".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv"),
        "videos are not read",
        "write their frames to files: ffmpeg -i {0} -vf fps=1 frame-%05d.png",
    ),
    "a raw photograph": Unread(
        (".cr2", ".cr3", ".nef", ".arw", ".dng", ".raf", ".orf", ".rw2", ".pef", ".srw"),
        "raw photographs are not read",
        "develop them to JPEG or PNG: darktable-cli {0} photograph.png",
    ),
    "a picture of another kind": Unread(
        (".svg", ".psd", ".xcf", ".eps", ".ai", ".exr", ".hdr", ".dds", ".ico", ".wmf", ".emf"),
        "pictures of this kind are not read",
        "convert them to PNG, with ImageMagick: magick {0} picture.png",
    ),
    "a scan of science or medicine": Unread(
        (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".fits", ".fit", ".svs", ".ndpi", ".czi", ".nd2", ".lif", ".vsi"),
        "scans of this kind are not read, for which part of them is the image is not known",
        "read them by the package that is made for them, and write 2D images of 8 bits to PNG, a folder a class",
    ),
    "a RecordIO file": Unread((".rec",), "RecordIO files are not read", "unpack it by MXNet: im2rec.py, or the like"),
}
ALL_SUFFIXES = tuple(suffix for kind in UNREAD.values() for suffix in kind.suffixes)
PACKED = re.compile(r"(.+?\.(?:zip|tar|tgz|tbz2?|txz|tar\.(?:gz|bz2|xz)))/")  # matches a path into an archive
PICKLE_BEGINS = tuple(b"\x80" + bytes([protocol]) for protocol in (2, 3, 4, 5))


def unread_kind(name: str, head: Callable[[], bytes]) -> str | None:
    """Returns the kind of a file that cannot be read, a key of `UNREAD`; None for any other file.

    Args:
      name: the name of the file.
      head: returns its first bytes, by which a pickle without a suffix is recognised.
    """
    lower = name.lower()
    if lower.endswith(ALL_SUFFIXES):
        return next(noun for noun, kind in UNREAD.items() if lower.endswith(kind.suffixes))
    if "." not in lower.rpartition("/")[2] and head().startswith(PICKLE_BEGINS):
        return PICKLE
    return None


def unread_problems(files_by_kind: Mapping[str, list[str]], place_of: Callable[[str], str]) -> list[Problem]:
    """Returns a problem for each kind that occurs, which names its first file.

    Args:
      files_by_kind: the files of each kind.
      place_of: returns the path of a file for messages.
    """
    problems = []
    for noun, files in files_by_kind.items():
        first = place_of(min(files))
        others = f" and {counted(len(files) - 1, 'more', 'more')}" if len(files) > 1 else ""
        # Several pickles of a data set are converted together, so the folder is named.
        target = first.rpartition("/")[0] if others and noun == PICKLE else first
        way_out = UNREAD[noun].way_out.format(target)
        if archive := PACKED.match(first):
            way_out = f"unpack {archive[1]} first, then {way_out.replace(f'{archive[1]}/', '')}"
        problems.append(Problem(first, UNREAD[noun].rule, noun + others, way_out))
    return problems
