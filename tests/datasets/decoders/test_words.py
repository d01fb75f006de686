import subprocess
import sys

from tests.copies import ROOT
from tests.trees import PNG, RGB, chunk, encoded, image, write

SQUARE = RGB.crop((0, 0, 4, 4))


def odd_exif() -> bytes:
    """A JPEG whose EXIF data claim more entries than there are."""
    return encoded(SQUARE, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01\x03\0\x01\0\0\0\x01\0\0\0\x99")


def odd_profile() -> bytes:
    """A PNG of which libpng warns."""
    return PNG[:33] + chunk(b"iCCP", b"bad\0\0") + PNG[33:]


def odd_fax() -> bytes:
    """A TIFF of which libtiff tells a bad code word."""
    data = bytearray(encoded(RGB.resize((64, 64)).convert("1"), "TIFF", compression="group4"))
    data[60:90] = bytes(30)
    return bytes(data)


def test_what_a_decoder_says_comes_with_the_name_of_the_image_or_not_at_all(tmp_path):
    tree = {f"train/{label}/{number}.png": image(ord(label) + 10 * number) for label in "ab" for number in range(8)}
    tree |= {"train/a/exif.jpg": odd_exif(), "train/b/profile.png": odd_profile()}
    folder = write(tree, tmp_path / "data")
    broken = write({"fax.tif": odd_fax(), "cut.tif": encoded(SQUARE, "TIFF")[:-30]}, tmp_path / "broken")
    code = f"""
import sys
from sweep.datasets.load import load, load_images
from sweep.storage.sweep_file import DataOptions
from pathlib import Path
print(*load(Path({str(folder)!r}), DataOptions(image_size=8)).notes, sep="\\n")
try:
    load_images(Path({str(broken)!r}), (8, 8))
except ValueError as error:
    print(error)
print("still heard", file=sys.stderr)
"""

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stderr == "still heard\n"
    (said,) = [line for line in done.stdout.splitlines() if "Corrupt EXIF" in line or "warning" in line]
    assert f"1 image, first {folder}/train/a/exif.jpg" in said
