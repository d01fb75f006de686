"""Runs a sweep on pictures that were not made as a data set: Debian's package openclipart-png.

It has about 8,100 pictures in nested folders without a split, up to 20,990 x 29,700 px, and hundreds of them are in
several folders. Nothing of it is kept.
"""

import csv
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from sweep.storage import paths

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "openclipart-png"
PICTURES = "usr/share/openclipart/png"
QUICK = ("--trials", "2", "--max-epochs", "2", "--fix", "epochs=2", "--fix", "arch=cnn", "--baselines", "none")


def sweep_of_clip_art(folder: Path) -> tuple[str, float, list[str]]:
    """Runs a sweep on the package's pictures to its end.

    Returns:
      The result in words; the seconds of the sweep; and a line for each thing that is not as it must be.
    """
    subprocess.run(["apt-get", "download", "-qq", PACKAGE], cwd=folder, check=True, capture_output=True)
    (package,) = folder.glob(f"{PACKAGE}*.deb")
    subprocess.run(["dpkg", "-x", package.name, "unpacked"], cwd=folder, check=True)
    data, sweep = folder / "unpacked" / PICTURES, folder / "sweep"
    words = ["--data", str(data), "--sweep", str(sweep), "--image-size", "64", "--leave-out", "bad", *QUICK]
    began = time.monotonic()
    process = subprocess.run(
        [sys.executable, "-m", "search.run", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    seconds = time.monotonic() - began
    if process.returncode or not (sweep / paths.REPORT_PAGE).exists():
        return f"exit code {process.returncode}", seconds, [process.stdout[-2000:], process.stderr[-2000:]]
    rows_used, left_out = _rows(sweep / paths.DATA_TABLE), _rows(sweep / paths.LEFT_OUT)
    pictures = sum(path.is_file() for path in data.rglob("*.png"))
    reasons = Counter(row["reason"] for row in left_out).most_common()
    parts = ", ".join(f"{count:,} {reason}" for reason, count in reasons)
    result = (
        f"{pictures:,} pictures: {len(rows_used):,} used, {len(left_out):,} left out ({parts}); a report was written"
    )
    lost_count = pictures - len(rows_used) - len(left_out)
    return result, seconds, [f"{lost_count} pictures are neither used nor in {paths.LEFT_OUT}"] if lost_count else []


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
