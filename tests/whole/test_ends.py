"""A sweep of each kind of data to its end: from files as they were downloaded to predictions as they are handed in."""

import csv
import gzip
import io
import json
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from sweep.analysis.record import Record
from sweep.search import check, run
from sweep.storage import paths
from sweep.storage.sweep_file import SweepFile
from sweep.trainable.loop import train
from tests.datasets.trees.containers import csv_of, idx_of, npz_of, parquet_file, tarred, zipped
from tests.searched import command, here
from tests.trees import table, write

COLOURS = ("green", "blue", "red")
QUICK = ("--trials", 2, "--max-epochs", 2, "--fix", "epochs=2", "--fix", "arch=mlp", "--fix", "width=0.1")
SIDE = 16


def pixels(first: int, count: int) -> np.ndarray:
    """So many images (N, H, W, 3), each of another seed and as bright in one of its colours as its label says."""
    images = np.stack([np.random.default_rng(first + n).integers(0, 90, (SIDE, SIDE, 3)) for n in range(count)])
    images[np.arange(count), :, :, np.arange(count) % 3] += 150
    return images.astype(np.uint8)


def pictures(name: str, first: int, count: int) -> dict[str, bytes]:
    """The same as files; `{n}` in the name stands for the number, `{colour}` for the class."""
    encoded = [cv2.imencode(".png", image[..., ::-1])[1].tobytes() for image in pixels(first, count)]
    return {name.format(n=n, colour=COLOURS[n % 3]): data for n, data in enumerate(encoded)}


def rows(form: str, count: int) -> list[str]:
    """Lines of a table, in which `{n}`, `{colour}` and `{pair}` (of images that belong together) stand for values."""
    return [form.format(n=n, colour=COLOURS[n % 3], pair=n // 6) for n in range(count)]


def class_folders() -> dict[str, bytes]:
    return pictures("flowers/{colour}/{n}.png", 0, 30) | {"flowers/LICENSE": b"free\n"}


def tables() -> dict[str, bytes]:
    return (
        pictures("train_images/{n}.png", 0, 36)
        | pictures("test_images/t{n}.png", 100, 6)
        | {
            "people.csv": table("Image,patient_id,age,Class", *rows("{n},p{pair},5{n},{colour}", 36)),
            "sample_submission.csv": table("Image,red,blue,green", *reversed(rows("t{n},.3,.3,.4", 6))),
        }
    )


def names() -> dict[str, bytes]:
    return (
        pictures("train/{colour}.{n}.png", 0, 30)
        | pictures("test/{n}.png", 100, 6)
        | {"sampleSubmission.csv": table("id,name", *rows("{n},red blue", 6))}
    )


def lists() -> dict[str, bytes]:
    return pictures("images/{colour}/{n}.png", 0, 42) | {
        "meta/train.txt": table(*rows("{colour}/{n}", 36)),
        "meta/test.txt": table(*rows("{colour}/{n}", 42)[36:]),
        "meta/classes.txt": table(*COLOURS),
    }


def coco() -> dict[str, bytes]:
    def annotations(form: str, count: int) -> bytes:
        images = [{"id": 7 * n, "file_name": form.format(n=n)} for n in range(count)]
        labels = [{"id": n, "image_id": 7 * n, "category_id": n % 3} for n in range(count)]
        categories = [{"id": number, "name": name} for number, name in enumerate(COLOURS)]
        return json.dumps({"images": images, "annotations": labels, "categories": categories}).encode()

    return (
        pictures("train_val/{n}.png", 0, 30)
        | pictures("train_val/v{n}.png", 100, 9)
        | {
            "train.json": annotations("train_val/{n}.png", 30),
            "val.json": annotations("train_val/v{n}.png", 9),
        }
    )


def arrays() -> dict[str, bytes]:
    made = {}
    for split, first, count in (("train", 0, 30), ("val", 100, 9), ("test", 200, 6)):
        made |= {f"{split}_images": pixels(first, count), f"{split}_labels": (np.arange(count) % 3)[:, None]}
    return {"coloursmnist.npz": npz_of(**made)}


def idx() -> dict[str, bytes]:
    def grey(first: int, count: int) -> np.ndarray:
        return pixels(first, count).mean(axis=3) // 4 + 60 * (np.arange(count) % 3)[:, None, None]

    return {
        "raw/train-images-idx3-ubyte.gz": gzip.compress(idx_of(grey(0, 30))),
        "raw/train-labels-idx1-ubyte.gz": gzip.compress(idx_of(np.arange(30) % 3)),
        "raw/t10k-images-idx3-ubyte": idx_of(grey(100, 6)),
        "raw/t10k-labels-idx1-ubyte": idx_of(np.arange(6) % 3),
    }


def pixel_columns() -> dict[str, bytes]:
    header = [f"pixel{number}" for number in range(SIDE * SIDE)]
    known, unknown = (pixels(first, count).max(axis=3).reshape(count, -1) for first, count in ((0, 30), (100, 6)))
    known[np.arange(30) % 3 == 0] //= 4
    return {
        "train.csv": csv_of(["label", *header], [[n % 3 % 2, *row] for n, row in enumerate(known)]),
        "test.csv": csv_of(header, unknown.tolist()),
        "sample_submission.csv": table("ImageId,Label", *(f"{n + 1},0.5" for n in range(6))),
    }


def parquet() -> dict[str, bytes]:
    def part(first: int, count: int) -> bytes:
        images = [{"bytes": data, "path": name} for name, data in pictures("{n}.png", first, count).items()]
        names = {"label": {"_type": "ClassLabel", "names": list(COLOURS)}, "image": {"_type": "Image"}}
        return parquet_file({"image": images, "label": [n % 3 for n in range(count)]}, names)

    return {
        "data/train-00000-of-00002.parquet": part(0, 15),
        "data/train-00001-of-00002.parquet": part(300, 15),
        "data/test-00000-of-00001.parquet": part(100, 6),
    }


def shards() -> dict[str, bytes]:
    def shard(first: int, count: int) -> bytes:
        return tarred(pictures("{n:06}.png", first, count) | {f"{n:06}.cls": str(n % 3).encode() for n in range(count)})

    return {"train-0000.tar": shard(0, 30), "val-0000.tar": shard(100, 9), "test-0000.tar": shard(200, 6)}


def archives() -> dict[str, bytes]:
    return {
        "train.zip": zipped(pictures("train/{n}.png", 0, 30)),
        "test.tar.gz": tarred(pictures("test/{n}.png", 100, 6), "w:gz"),
        "trainLabels.csv": table("id,label", *rows("{n},{colour}", 30)),
        "sampleSubmission.csv": table("id,label", *rows("{n},red", 6)),
    }


def ids(container: str, form: str = "{}/{}") -> tuple[str, str]:
    """The first two images in a container."""
    return form.format(container, 0), form.format(container, 1)


@dataclass(frozen=True)
class End:
    """How the sweep of a data set ends.

    Attributes:
      counts: images of train, validation and test.
      predictions: the first line of `predictions.csv`, and the ids of its first two rows; None where there is none.
      holds: says whether a cell of it is right, given the classes.
      is_scored: the test images have labels.
    """

    make: Callable[[], dict[str, bytes]]
    counts: tuple[int, int, int]
    predictions: tuple[str, str, str] | None = None
    is_scored: bool = False
    holds: Callable[[list[str], list[str]], bool] = lambda cells, classes: len(cells) == 1 and cells[0] in classes


def are_shares(cells: list[str], classes: list[str]) -> bool:
    return abs(sum(map(float, cells)) - 1) < 1e-6 and min(map(float, cells)) >= 0


def is_share(cells: list[str], classes: list[str]) -> bool:
    return len(cells) == 1 and 0 <= float(cells[0]) <= 1 and not cells[0].isdigit()


def are_two_best(cells: list[str], classes: list[str]) -> bool:
    parts = cells[0].split(" ")
    return len(cells) == 1 and len(parts) == len(set(parts)) == 2 and set(parts) <= set(classes)


ENDS = {
    "class folders without a split": End(class_folders, (26, 4, 0)),
    "tables with a group, and a sample": End(
        tables, (30, 6, 6), ("Image,red,blue,green", "t5", "t4"), holds=are_shares
    ),
    "labels in names": End(names, (26, 4, 6), ("id,name", "0", "1"), holds=are_two_best),
    "list files": End(lists, (31, 5, 6), ("id,label", "green/36", "blue/37"), is_scored=True),
    "COCO JSON": End(coco, (30, 9, 0)),
    "npz": End(arrays, (30, 9, 6), ("id,label", *ids("coloursmnist.npz/test_images")), is_scored=True),
    "idx": End(idx, (26, 4, 6), ("id,label", *ids("raw/t10k-images-idx3-ubyte")), is_scored=True),
    "pixels in a CSV": End(pixel_columns, (26, 4, 6), ("ImageId,Label", "1", "2"), holds=is_share),
    "Parquet": End(parquet, (26, 4, 6), ("id,label", *ids("data/test-00000-of-00001.parquet/image")), is_scored=True),
    "tar shards": End(shards, (30, 9, 6), ("id,label", *ids("test-0000.tar", "{}/{:06}.png")), is_scored=True),
    "archives": End(archives, (26, 4, 6), ("id,label", "0", "1")),
}


@pytest.mark.parametrize("kind", ENDS)
def test_a_sweep_of_each_kind_of_data_runs_to_its_report_and_predictions(tmp_path, kind):
    end = ENDS[kind]
    data, sweep = write(end.make(), tmp_path / "data"), tmp_path / "sweep"

    done = command(run.main, "--data", data, "--sweep", sweep, *QUICK, on=here(train))

    assert done.exit_code == 0, done.output
    checked = command(check.main, sweep)
    assert (checked.exit_code, checked.output.count("\n")) == (0, 1), checked.output  # one line, that it is whole
    record = Record(sweep)
    assert [trial.state for trial in record.trials] == ["COMPLETE", "COMPLETE"]
    splits = [row["split"] for row in csv.DictReader(io.StringIO((sweep / paths.DATA_TABLE).read_text()))]
    assert tuple(map(splits.count, ("train", "validation", "test"))) == end.counts
    assert ("Test images" in (sweep / paths.REPORT_TEXT).read_text()) == end.is_scored
    assert (sweep / paths.TEST_SCORE).exists() == end.is_scored
    if end.predictions is None:
        assert not (sweep / paths.PREDICTIONS).exists()
        return
    header, *lines = (sweep / paths.PREDICTIONS).read_text().splitlines()
    assert (header, *(line.partition(",")[0] for line in lines[:2])) == end.predictions
    classes = [*SweepFile.read(sweep).classes]
    assert [line for line in lines if not end.holds(line.split(",")[1:], classes)] == []
    assert len((sweep / paths.TEST_PROBABILITIES).read_text().splitlines()) == len(lines) + 1
    assert len(lines) == end.counts[2]
