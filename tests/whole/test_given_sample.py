"""A sample of what is handed in that lies beside the data: the sweep keeps it, and goes on when it is gone."""

import csv
import shutil

from sweep.analysis import predict as analysis_predict_module
from sweep.search import check, run
from sweep.trainable.loop import train
from tests.searched import command, here
from tests.trees import image, table, write

DATA = {f"train/{n}.png": image(n) for n in range(24)} | {f"test/{n}.png": image(50 + n) for n in range(4)}
LABELS = {"labels.csv": table("Id,Kind", *(f"{n},{'ab'[n % 2]}" for n in range(24)))}
QUICK = ("--trials", 1, "--max-epochs", 1, "--fix", "arch=mlp", "--baselines", "none", "--space", "default")
IDS = ["3", "0", "1", "2"]


def rows_of(path):
    header, *rows = csv.reader(path.read_text().splitlines())
    return header, [row[0] for row in rows], [row[1:] for row in rows]


def test_a_sample_beside_the_data_names_the_test_images_and_holds_when_all_has_moved(tmp_path):
    data, sweep, sample = write(DATA | LABELS, tmp_path / "data"), tmp_path / "sweep", tmp_path / "mine.csv"
    sample.write_bytes(table("Id,b,a", *(f"{name},0,0" for name in IDS)))

    begun = command(run.main, "--data", data, "--sweep", sweep, *QUICK, "--submission", sample, on=here(train))

    assert begun.exit_code == 0, begun.output
    header, ids, cells = rows_of(sweep / "predictions.csv")
    assert (header, ids) == (["Id", "b", "a"], IDS)
    assert all(abs(sum(map(float, row)) - 1) < 1e-6 for row in cells)

    sample.unlink()
    moved = shutil.move(data, tmp_path / "moved")
    there = shutil.move(sweep, tmp_path / "there")
    later = command(analysis_predict_module.main, there, "--data", moved, "--out", tmp_path / "later.csv")

    assert later.exit_code == 0, later.output
    assert (tmp_path / "later.csv").read_bytes() == (there / "predictions.csv").read_bytes()

    sample.write_bytes(table("Image,Label", "3,a", "0,a", "1,b", "2,a"))
    again = command(run.main, "--data", moved, "--sweep", there, *QUICK, "--submission", sample, on=here(train))

    assert again.exit_code == 0, again.output
    header, ids, cells = rows_of(there / "predictions.csv")
    assert (header, ids) == (["Image", "Label"], IDS)
    assert {label for (label,) in cells} <= {"a", "b"}
    assert command(check.main, there).exit_code == 0


def test_a_sample_of_no_known_form_is_refused_before_anything_is_written(tmp_path):
    data, sample = write(DATA | LABELS, tmp_path / "data"), tmp_path / "mine.csv"
    sample.write_bytes(table("Id,b,c", *(f"{name},0,0" for name in IDS)))

    done = command(run.main, "--data", data, "--sweep", tmp_path / "s", *QUICK, "--submission", sample, on=here(train))

    assert done.exit_code == 2
    assert "none is of the class `a`" in done.output
    assert not (tmp_path / "s" / "sweep.json").exists()
