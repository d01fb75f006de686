"""Whoever can write into a sweep's folder cannot make its readers run, hang, swell, or reach outside.

One process plants every file of `PLANTS` in a copy of a little sweep, runs every reader over
it, and counts what Python would unpickle.
"""

import functools
import io
import json
import os
import pickle
import resource
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner

from sweep.storage.files import DamagedError
from sweep.storage.journal import JournalError, line_of
from sweep.trainable.config import ConfigError

ROOT = Path(__file__).resolve().parents[2]
TRIALS = 4  # of the sweep: 3 is RUNNING, in its first attempt
MOST_MIB = 200
SECONDS = 240  # for all of it, on a busy machine too: a reader that waits at a pipe waits for ever
NAMED = (DamagedError, JournalError, ConfigError)


Plant = Callable[[Path, Path], Any]  # of a copy of the sweep, and a folder outside it


class Evil:
    """Unpickled, it leaves a file behind."""

    def __init__(self, outside: Path) -> None:
        self.outside = outside

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.outside / "unpickled"),)


def as_array(shape: str, data: bytes = b"") -> bytes:
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


def objects(outside: Path) -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([Evil(outside)], dtype=object), allow_pickle=True)
    return file.getvalue()


@functools.cache
def zip_bomb() -> bytes:
    file = io.BytesIO()
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("valid_labels.npy", "w", force_zip64=True) as member,
    ):
        for _ in range(MOST_MIB + 50):
            member.write(bytes(1 << 20))
    return file.getvalue()


def huge_header() -> bytes:
    return (1 << 62).to_bytes(8, "little") + b'{"__metadata__":{}}'


def write(name: str, data: bytes) -> Plant:
    return lambda sweep, _: (sweep / name).write_bytes(data)


def pipe(name: str) -> Plant:
    def plant(sweep: Path, _: Path) -> None:
        (sweep / name).unlink(missing_ok=True)
        os.mkfifo(sweep / name)

    return plant


def link(name: str, target: str) -> Plant:
    """To something outside, or absolute."""

    def plant(sweep: Path, outside: Path) -> None:
        path = sweep / name
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        path.symlink_to(outside / target)

    return plant


def pickled(name: str) -> Plant:
    return lambda sweep, outside: (sweep / name).write_bytes(pickle.dumps(Evil(outside)))


def altered(name: str, **values: Any) -> Plant:
    def plant(sweep: Path, _: Path) -> None:
        (sweep / name).write_text(json.dumps(json.loads((sweep / name).read_text()) | values))

    return plant


def record(**fields: Any) -> Plant:
    """A record with the right checksum, which no driver writes."""

    def plant(sweep: Path, _: Path) -> None:
        with open(sweep / "journal.log", "ab") as file:
            file.write(line_of({"worker_id": "x"} | fields))

    return plant


def folder(name: str) -> Plant:
    def plant(sweep: Path, _: Path) -> None:
        (sweep / name).unlink(missing_ok=True)
        (sweep / name).mkdir()

    return plant


def cut(name: str) -> Plant:
    return lambda sweep, _: os.truncate(sweep / name, (sweep / name).stat().st_size - 3)


BEST = "trials/0001"
RUNNING = "trials/0003/attempt-1"
DEEP = b"[" * 100_000
PLANTS: dict[str, Plant] = {
    "a pickle as weights": pickled(f"{BEST}/best.safetensors"),
    "a pickle as a checkpoint": pickled(f"{RUNNING}/checkpoint-0001.safetensors"),
    "a pickle as the journal": pickled("journal.log"),
    "a pickle as predicted classes": pickled(f"{BEST}/valid_classes.npy"),
    "a pickle as logits": pickled(f"{BEST}/valid_logits.npy"),
    "a pickle as labels": pickled("valid_labels.npy"),
    "a pickle as sweep.json": pickled("sweep.json"),
    "a pickle as a config": pickled(f"{BEST}/config.json"),
    "a pickle as a history": pickled(f"{BEST}/history.json"),
    "a pickle as a result": pickled(f"{RUNNING}/result.json"),
    "a pickle as the best config": pickled("best/config.json"),
    "a pickle as the best model": pickled("best/model.safetensors"),
    "a pickle as a table": pickled("trials.parquet"),
    "a pickle as data.csv": pickled("data.csv"),
    "Tune's pickles": pickled("tuner.pkl"),
    "an array of objects": lambda sweep, outside: (sweep / BEST / "valid_classes.npy").write_bytes(objects(outside)),
    "an array of 10^12": write(f"{BEST}/valid_logits.npy", as_array("(1000000000000,)")),
    "an array of -1": write(f"{BEST}/valid_classes.npy", as_array("(-1,)", b"x")),
    "an array with a deep header": write("valid_labels.npy", b"\x93NUMPY\x01\x00" + b"\x28\x23" + b"(" * 9000),
    "a cut array": cut(f"{BEST}/valid_classes.npy"),
    "a zip bomb as an array": lambda sweep, _: (sweep / "valid_labels.npy").write_bytes(zip_bomb()),
    "weights with a huge header": write(f"{BEST}/best.safetensors", huge_header()),
    "a checkpoint with a huge header": write(f"{RUNNING}/checkpoint-0001.safetensors", huge_header()),
    "a best model with a huge header": write("best/model.safetensors", huge_header()),
    "NaN in a history": write(f"{BEST}/history.json", b'[{"epoch": 1, "train_loss": NaN}]'),
    "infinity in sweep.json": write("sweep.json", b'{"seed": Infinity}'),
    "a deep sweep.json": write("sweep.json", DEEP),
    "a deep history": write(f"{BEST}/history.json", DEEP),
    "a deep result": write(f"{RUNNING}/result.json", DEEP),
    "a deep best config": write("best/config.json", DEEP),
    "a deep record": write("journal.log", DEEP + b',"crc":1}\n'),
    "sweep.json of other types": altered("sweep.json", classes=5, starts=None, queue=[1]),
    "a best config of other types": altered("best/config.json", config=[], classes=7, image_size=[]),
    "a trial without a config": record(op_code=4, study_id=0, datetime_start=None),
    "a record of trial 10^15": record(op_code=8, trial_id=10**15, user_attr={"attempt": 2}),
    "an attempt that is no number": record(op_code=8, trial_id=3, user_attr={"attempt": "x"}),
    "a value that is none": record(op_code=7, trial_id=3, step=2, intermediate_value="x"),
    "a config of other types": record(op_code=8, trial_id=3, user_attr={"config": ["x"]}),
    "a trial without a decimal number": folder("trials/\u00b2"),
    "trial 10^8": folder("trials/100000000"),
    "attempt 10^12": folder("trials/0003/attempt-1000000000000"),
    "a folder as a history": folder(f"{BEST}/history.json"),
    "a link as an attempt of an ended trial": link(f"{BEST}/attempt-1", "attempt-1"),
    "a link as an attempt of a running trial": link("trials/0003/attempt-2", "attempt-1"),
    "a link as a trial": link(BEST, "."),
    "a link as the lock": link("lock", "text"),
    "a link as the journal": link("journal.log", "text"),
    **{
        f"a link as {name}.partial": link(f"{name}.partial", "text")
        for name in ("journal.log", "sweep.json", "report.md", "predictions-images.csv", "backup-1")
    },
    "a link as a backup": link("backup-1", "."),
    "a pipe as the lock": pipe("lock"),
    "a pipe as the journal": pipe("journal.log"),
    "a pipe as sweep.json": pipe("sweep.json"),
    "a pipe as a history": pipe(f"{BEST}/history.json"),
    "a pipe as weights": pipe(f"{BEST}/best.safetensors"),
    "a pipe as predicted classes": pipe(f"{BEST}/valid_classes.npy"),
    "a pipe as a checkpoint": pipe(f"{RUNNING}/checkpoint-0001.safetensors"),
    "a pipe as a result": pipe(f"{RUNNING}/result.json"),
    "a pipe as the best model": pipe("best/model.safetensors"),
    "a pipe as data.csv": pipe("data.csv"),
    "a pipe as a table": pipe("trials.csv"),
    "a device as sweep.json": link("sweep.json", "/dev/zero"),
    "a device as predicted classes": link(f"{BEST}/valid_classes.npy", "/dev/zero"),
    "a device as weights": link(f"{BEST}/best.safetensors", "/dev/zero"),
    "a device as the best model": link("best/model.safetensors", "/dev/zero"),
    "a device as a table": link("epochs.parquet", "/dev/zero"),
}


def once_for_each(draw: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    """Most figures of a report are the same whatever was planted; each that is another one is drawn."""
    drawn: dict[str, bytes] = {}

    def draw_once(figure: Any) -> bytes:
        if repr(figure) not in drawn:
            drawn[repr(figure)] = draw(figure)
        return drawn[repr(figure)]

    return draw_once


def attack(base: Path) -> None:
    """Plants each in a copy of the sweep in `base`, runs all readers over it, and prints what came of it."""
    from sweep.analysis import predict
    from sweep.analysis.report import __main__ as report
    from sweep.analysis.report import figures, page
    from sweep.search import check, status
    from tests.trials import open_bridge

    torch.set_num_threads(1)
    found_classes = []
    sys.addaudithook(lambda event, arguments: found_classes.append(arguments) if event == "pickle.find_class" else None)
    figures._png = lambda _: b""  # it takes longest, and reads nothing
    page.render, page.render_pictures = once_for_each(page.render), once_for_each(page.render_pictures)
    outside, results = base / "outside", {}

    def run(command: Any, *options: str) -> tuple[int, str]:
        result = CliRunner().invoke(command, options)
        is_traceback = result.exception is not None and not isinstance(result.exception, SystemExit)
        return (1, repr(result.exception)) if is_traceback else (result.exit_code, result.output)

    def recover(sweep: Path) -> tuple[int, str]:
        try:
            open_bridge(sweep, TRIALS)
            return 0, ""
        except NAMED as error:
            return 2, str(error)
        except Exception as error:
            return 1, repr(error)

    def read(sweep: Path) -> dict[str, tuple[int, str]]:
        name = str(sweep)
        return {
            "status": run(status.main, name),
            "check": run(check.main, name),
            "report": run(report.main, name),
            "predict": run(predict.main, name, "--images", str(base / "images")),
        }

    def planted(name: str) -> Path:
        sweep = base / "planted"
        shutil.rmtree(sweep, ignore_errors=True)
        shutil.copytree(base / "sweep", sweep)
        if name:
            PLANTS[name](sweep, outside)
        return sweep

    read(planted(""))  # so that every module is there
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name in ["", *PLANTS]:
        sweep = planted(name)
        results[name] = read(sweep) | {"recover": recover(sweep)}
        sweep = planted(name)
        results[name] |= {"repair": run(check.main, str(sweep), "--repair")}
        results[name] |= {"check, repaired": run(check.main, str(sweep)), "recover, repaired": recover(sweep)}
    count, memory = len(found_classes), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    pickle.loads(pickle.dumps(Path("x")))  # the hook works
    print(json.dumps({"results": results, "count": count, "after": len(found_classes), "mib": memory >> 10}))


def snapshot(folder: Path) -> list[tuple[str, int, int, bytes]]:
    return [
        (str(path), path.stat().st_mode, path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in sorted(folder.rglob("*"))
    ]


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    """What came of each plant, and whether anything outside the sweep was touched."""
    from tests import damage

    base = tmp_path_factory.mktemp("hostile")
    sweep, outside = base / "sweep", base / "outside"
    damage.go_on(sweep)
    damage.make_results(sweep)
    damage.go_on(sweep, TRIALS, stop_at=(3, 1))
    (outside / "attempt-1").mkdir(parents=True)
    (outside / "attempt-1" / "checkpoint-0009.safetensors").write_text("precious")
    (outside / "text").write_text("precious, and without a line end")
    (base / "images").mkdir()
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(base / "images" / name), np.zeros((16, 16, 3), np.uint8))
    before = snapshot(outside)
    code = f"from pathlib import Path; from tests.whole.test_hostile import attack; attack(Path({str(base)!r}))"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=SECONDS)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1]) | {"untouched": snapshot(outside) == before}


def test_nothing_is_unpickled_whatever_lies_in_the_folder(attacked):
    assert attacked["count"] == 0
    assert attacked["after"] > 0  # it would have been counted


def test_nothing_outside_the_folder_is_touched(attacked):
    assert attacked["untouched"]


def test_no_file_makes_a_reader_swell(attacked):
    assert attacked["mib"] < MOST_MIB


@pytest.mark.parametrize("name", PLANTS)
def test_a_hostile_file_is_named_or_does_no_harm(attacked, name):
    for command, (code, words) in attacked["results"][name].items():
        assert code in (0, 2), f"{command}: {words}"
        assert words.strip() or not code, command


@pytest.mark.parametrize("name", PLANTS)
def test_a_repair_leaves_a_sweep_that_goes_on_or_says_what_to_do(attacked, name):
    results = attacked["results"][name]

    assert results["check, repaired"][0] == results["repair"][0]
    if results["repair"][0] == 0:
        assert results["recover, repaired"][0] == 0
    else:
        assert name.endswith(("sweep.json", "sweep.json of other types", "the lock")), results["repair"]


def test_the_sweep_itself_is_whole(attacked):
    assert {command: code for command, (code, _) in attacked["results"][""].items() if code} == {}
