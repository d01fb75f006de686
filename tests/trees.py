"""Small data sets in memory, name to bytes, in both layouts; images of every kind, whole and broken."""

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from PIL import Image


def image(seed: int, side: int = 4) -> bytes:
    """A PNG of random pixels; another seed, other bytes."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    return cv2.imencode(".png", pixels)[1].tobytes()


def with_manifests(train: int = 6, validation: int = 3, test: int = 3, classes: int = 3) -> dict[str, bytes]:
    """Layout 1: so many images, `train0.png` of class 0, `train1.png` of class 1 and so on, and a sample submission."""
    tree = {}
    for split, count in (("train", train), ("validation", validation), ("test", test)):
        names = [f"{split}{number}.png" for number in range(count)]
        folder = "test" if split == "test" else "train+validation"
        tree |= {f"{folder}/{name}": image(len(tree) + number) for number, name in enumerate(names)}
        rows = names if split == "test" else [f"{name},{number % classes}" for number, name in enumerate(names)]
        tree[f"{split}.txt"] = table("id" if split == "test" else "id,label", *rows)
    return tree | {"sample_submission.txt": table("id,label", *(f"test{number}.png,0" for number in range(test)))}


def with_class_folders(train: int = 6, validation: int = 3, test: int = 3, classes: int = 3) -> dict[str, bytes]:
    """Layout 2: the same images in folders of the classes `a`, `b`, ..."""
    tree = with_manifests(train, validation, test, classes)
    moved = {f"test/test{number}.png": tree[f"test/test{number}.png"] for number in range(test)}
    for split, count in (("train", train), ("validation", validation)):
        for number in range(count):
            name = f"{split}{number}.png"
            moved[f"{split}/{'abcdefg'[number % classes]}/{name}"] = tree[f"train+validation/{name}"]
    return moved


LAYOUTS = {"tables": with_manifests, "class_folders": with_class_folders}


def table(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def write(tree: Mapping[str, bytes], folder: Path) -> Path:
    for name, data in tree.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def pack(tree: Mapping[str, bytes], path: Path, top: str = "", method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in tree.items():
            archive.writestr(top + name, data)
    return path


def encoded(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    """Of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
RGB = Image.fromarray(PIXELS)
PNG = encoded(RGB)
JPEG = encoded(RGB, "JPEG")


def animated(kind: str) -> bytes:
    return encoded(RGB, kind, save_all=True, append_images=[Image.fromarray(255 - PIXELS)])


HUGE_PNG = PNG[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 20000, 20000, 8, 2, 0, 0, 0)) + chunk(b"IEND", b"")
_bmp = bytearray(encoded(RGB, "BMP"))
_bmp[18:26] = struct.pack("<ii", 30000, 30000)
HUGE_BMP = bytes(_bmp)


def _pictures(folder: str, count: int, first: int = 0, suffix: str = ".png") -> dict[str, bytes]:
    """So many images, `FOLDER/FIRST.png` and so on, each of other pixels wherever the folder is."""
    return {
        f"{folder}{number}{suffix}": image(zlib.crc32(folder.encode()) % 9973 + number)
        for number in range(first, first + count)
    }


def with_tables(train: int = 6, validation: int = 3, test: int = 3, classes: int = 3) -> dict[str, bytes]:
    """Tables under other names and headers, ids without suffix, images in folders that are named as their split."""
    tree: dict[str, bytes] = {}
    for split, count in (("train", train), ("val", validation), ("test", test)):
        if count:
            tree |= _pictures(f"{split}_images/{split}", count)
            rows = (f"{split}{number},{number % classes},x" for number in range(count))
            header = "Image,Class,Note"
            if split == "test":
                header, rows = "Image", (f"test{number}" for number in range(count))
            tree[f"{split}_table.csv"] = table(header, *rows)
    return tree


def with_deep_class_folders(train: int = 6, validation: int = 3, test: int = 3, classes: int = 3) -> dict[str, bytes]:
    """Folders of classes below folders of splits with names of their own, two folders deep."""
    tree: dict[str, bytes] = {}
    for split, count in (("Training", train), ("valid_set", validation)):
        for number in range(count):
            tree |= _pictures(f"some/data/{split}/{'abcdefg'[number % classes]}/{split}", 1, number)
    return tree | _pictures("some/data/Testing/", test)


def with_labels_in_names(train: int = 6, validation: int = 3, test: int = 3, classes: int = 3) -> dict[str, bytes]:
    """Files that begin with their label, in flat folders of splits."""
    tree: dict[str, bytes] = {}
    for split, count in (("train", train), ("val", validation)):
        for number in range(count):
            tree |= _pictures(f"{split}/{'abcdefg'[number % classes]}.", 1, number)
    return tree | _pictures("test/", test)


FORMS = {  # a small data set in each form, by the name of its source
    "tables": with_tables,
    "class_folders": with_deep_class_folders,
    "names": with_labels_in_names,
}
