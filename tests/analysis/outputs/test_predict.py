import csv
import json
import os
import re
import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from sweep.analysis.outputs import predictor
from sweep.analysis.outputs.best import read_best, write_best
from sweep.analysis.outputs.predict import PredictionError, check_predictions, write_predictions
from sweep.analysis.outputs.results import write_results
from sweep.analysis.outputs.trained import ImageError
from sweep.analysis.predict import main
from sweep.datasets.load import load
from sweep.datasets.submission import Submission
from sweep.datasets.submission.columns import ProbabilityColumns
from sweep.datasets.submission.stored import to_bytes
from sweep.datasets.table import parse_table
from sweep.search.checks.inspection import NAMES
from sweep.search.run import main as search_main
from sweep.storage.tensors import save_weights
from sweep.trainable.loop import train
from sweep.trainable.state import new_state
from tests.searched import command, here
from tests.sweeps import CNN, SweepBuilder, varied_sweep

IDS, CLASSES = ("a.png", "b.png", "c.png"), ("0", "1")


@pytest.fixture
def sweep(tmp_path, tiny_data):
    sweep = varied_sweep(tmp_path / "sweep", load(tiny_data), str(tiny_data))
    write_best(sweep.record)
    return sweep


@pytest.fixture
def trained_sweep(tmp_path, tiny_data):
    """A sweep of one trial that tells the three colours apart; they are labelled by name."""
    for split in ("train", "validation"):
        table = (tiny_data / f"{split}.txt").read_text()
        for label, name in enumerate(("red", "green", "blue")):
            table = table.replace(f".png,{label}\n", f".png,{name}\n")
        (tiny_data / f"{split}.txt").write_text(table)
    data = load(tiny_data)
    config = replace(CNN, optimizer="adam", schedule="constant", lr=3e-3, batch_size=10, epochs=8)
    torch.set_num_threads(1)  # so small a net takes 100 times as long where threads have to wait for a processor
    state = new_state(config, data)
    history = list(train(config, data, state))
    assert history[-1].valid_accuracy == 1
    sweep = SweepBuilder(tmp_path / "sweep", data, data_path=str(tiny_data))
    sweep.add(config, [30])
    weights = {name: tensor.contiguous() for name, tensor in state.best_weights.items()}
    save_weights(sweep.folder / "trials" / "0000" / "best.safetensors", weights, config.to_dict(), 1)
    write_best(sweep.record)
    return sweep


def predict(*options):
    return CliRunner().invoke(main, [str(option) for option in options])


def test_predictions_are_the_test_images_in_the_order_of_their_manifest(tiny_data, sweep):
    ids = [f"test{number:02}.png" for number in (3, 0, 9, 1, 2, 4, 8, 5, 7, 6)]
    (tiny_data / "test.txt").write_text("id\n" + "\n".join(ids))
    (tiny_data / "sample_submission.txt").write_text("id,label\n" + "".join(f"{name},0\n" for name in ids))
    data = load(tiny_data)
    write_results(sweep.record, data)
    content = (sweep.folder / "predictions.csv").read_bytes()
    labels = [
        data.classes[index]
        for index in read_best(sweep.folder).log_probabilities(data.test.images, False).argmax(axis=1)
    ]
    rows = [("id", "label"), *zip(ids, labels, strict=True)]
    assert content == "".join(f"{name},{label}\n" for name, label in rows).encode()


def test_the_command_predicts_the_test_images_of_the_sweeps_data(sweep):
    result = predict(sweep.folder)
    assert result.exit_code == 0
    said, beside = result.stdout.splitlines()
    assert said == f"{sweep.folder / 'predictions.csv'}: 10 predictions of trial 1"
    assert beside.startswith(f"{sweep.folder / 'test_probabilities.csv'}: ")
    lines = (sweep.folder / "predictions.csv").read_text().splitlines()
    assert lines[0] == "id,label"
    assert [line.split(",")[0] for line in lines[1:]] == [f"test{number:02}.png" for number in range(10)]


def test_a_sample_submission_that_names_an_image_twice_is_refused_and_no_file_appears(sweep, tiny_data):
    data = load(tiny_data)
    odd = replace(data.submission, rows=(1, *data.submission.rows[1:]))
    (sweep.folder / "submission.json").write_bytes(to_bytes(odd))
    with pytest.raises(PredictionError) as error:
        write_results(sweep.record, data)
    assert "each of the 10 test images must have one id, once" in str(error.value)
    assert not list(sweep.folder.glob("predictions*"))
    assert (sweep.folder / "report.html").exists()


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (b"name,label\na.png,0\n", "header must be"),
        (b"id,label\na.png,0\nc.png,0\nb.png,0\n", "row 2 has `c.png` for `b.png`"),
        (b"id,label\na.png,0\nb.png,0\n", "row 3 has nothing for `c.png`"),
        (b"id,label\na.png,0\nb.png,0\nc.png,1\nd.png,1\n", "row 4 has `d.png` for nothing"),
        (b"id,label\na.png,0\nb.png,2\nc.png,1\n", "`b.png` has `2`"),
    ],
)
def test_a_wrong_prediction_file_is_refused_with_the_difference(table, words):
    form = Submission(("id", "label"), IDS, (0, 1, 2))
    check_predictions(b"id,label\na.png,0\nb.png,0\nc.png,1\n", form, CLASSES)
    with pytest.raises(PredictionError, match=words):
        check_predictions(table, form, CLASSES)


def test_new_images_get_the_names_of_the_classes(trained_sweep, tiny_data, tmp_path):
    result = predict(trained_sweep.folder, "--images", tiny_data / "test")
    (out,) = trained_sweep.folder.glob("predictions-of-test-????????.csv")
    assert result.stdout == f"{out}: 10 predictions of trial 0\n"
    colours = ("red", "green", "blue")
    assert out.read_text().splitlines()[1:] == [f"test{number:02}.png,{colours[number % 3]}" for number in range(10)]

    (tiny_data / "two.csv").write_text("id\ntest04.png\ntest02.png\n")
    result = predict(trained_sweep.folder, "--images", tiny_data / "two.csv", "--out", tmp_path / "two.csv")
    assert result.exit_code == 0
    assert (tmp_path / "two.csv").read_bytes() == b"id,label\ntest04.png,green\ntest02.png,blue\n"


def test_the_best_folder_alone_predicts_what_the_trial_predicted(trained_sweep, tiny_data):
    data, data_folder = trained_sweep.data, tiny_data
    for path in list(trained_sweep.folder.iterdir()):
        if path.name != "best":
            path.rename(path.with_name(f"gone-{path.name}"))
    assert predict(trained_sweep.folder, "--with", "best", "--images", data_folder / "test").exit_code == 0
    assert (
        read_best(trained_sweep.folder).log_probabilities(data.valid.images, False).argmax(axis=1) == data.valid.labels
    ).all()


@pytest.mark.parametrize(
    ("options", "name", "label"),
    [
        ([], "predictions.csv", "an ensemble of 2 trials"),
        (["--with", "best"], "predictions-best.csv", "trial 0"),
        (["--with", "best", "--tta"], "predictions-best-tta.csv", "trial 0 averaged over flips"),
        (["--with", "ensemble"], "predictions-ensemble.csv", "an ensemble of 2 trials"),
        (["--with", "refit"], "predictions-refit.csv", "the best config on train + validation, 1 seed"),
    ],
)
def test_each_way_to_predict_gives_all_test_images_in_their_order(three_ways, options, name, label):
    result = predict(three_ways, *options)

    beside = three_ways / name.replace("predictions", "test_probabilities")
    said = [f"{three_ways / name}: 10 predictions of {label}", f"{beside}: the probabilities that they are made of"]
    assert result.output.splitlines() == said
    colours = ("red", "green", "blue")
    expected = [f"test{number:02}.png,{colours[number % 3]}" for number in range(10)]
    assert (three_ways / name).read_text().splitlines() == ["id,label", *expected]
    header, *rows = csv.reader(beside.open())
    most_probable = [f"{row[0]},{header[1 + np.argmax(np.array(row[1:], float))][2:-1]}" for row in rows]
    assert most_probable == expected
    assert re.fullmatch(NAMES["."], beside.name)  # search.check knows it


def test_the_probabilities_of_a_file_with_a_name_of_its_own_have_that_name_too(trained_sweep, tmp_path):
    assert predict(trained_sweep.folder, "--with", "best", "--out", tmp_path / "mine.csv").exit_code == 0
    assert sorted(path.name for path in tmp_path.glob("*.csv")) == ["mine.csv", "test_probabilities-mine.csv"]


@pytest.fixture
def three_ways(trained_sweep):
    """A sweep with an ensemble of two trained trials, each with a mistake of its own, and a refit."""
    config, data = (
        replace(CNN, optimizer="adam", schedule="constant", lr=3e-3, batch_size=10, epochs=8),
        trained_sweep.data,
    )
    weights = trained_sweep.folder / "trials" / "0000" / "best.safetensors"
    trained_sweep.add(config, [30])
    for number, wrong in enumerate(((0, 1), (2, 3))):
        folder = trained_sweep.folder / "trials" / f"{number:04}"
        predicted = data.valid.labels.copy()
        predicted[list(wrong)] = (predicted[list(wrong)] + 1) % 3
        sure = np.where(predicted == data.valid.labels, 3, 1)[:, None].astype(np.float32)
        np.save(folder / "valid_logits.npy", sure * np.eye(3, dtype=np.float32)[predicted])
        np.save(folder / "valid_classes.npy", predicted[None].astype(np.uint8))
    (trained_sweep.folder / "trials" / "0001" / "best.safetensors").write_bytes(weights.read_bytes())
    refit = SweepBuilder(trained_sweep.folder / "refit", data, data_path=trained_sweep.data_path)
    refit.add(config, [30])
    (refit.folder / "trials" / "0000" / "best.safetensors").write_bytes(weights.read_bytes())
    of_the_best(refit.folder, 0)
    return trained_sweep.folder


def of_the_best(refit, number):
    path = refit / "sweep.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"parent": {"sweep": "0123", "best trial": number}}))


def test_a_refit_of_a_trial_that_is_no_longer_the_best_is_refused(three_ways):
    of_the_best(three_ways / "refit", 1)

    result = predict(three_ways, "--with", "refit")

    assert result.exit_code == 2
    assert "move it away" in result.stderr
    assert not (three_ways / "predictions-refit.csv").exists()


def test_what_is_not_there_to_predict_with_is_said(sweep):
    for words, options in {
        "python -m search.refit": ["--with", "refit"],
        "no ensemble is better": ["--with", "ensemble"],
        "--tta: say what": ["--tta"],
    }.items():
        result = predict(sweep.folder, *options)
        assert result.exit_code == 2
        assert words in result.stderr
        assert result.stderr.count("\n") == 1


def test_probabilities_stand_beside_the_label_and_add_up_to_one(trained_sweep):
    assert predict(trained_sweep.folder, "--probabilities").exit_code == 0
    header, *rows = (trained_sweep.folder / "probabilities.csv").read_text().splitlines()
    assert header == "id,label,p(blue),p(green),p(red)"
    for row in rows:
        _, label, *shares = row.split(",")
        assert sum(map(float, shares)) == pytest.approx(1, abs=1e-5)
        assert ("blue", "green", "red")[np.argmax([float(share) for share in shares])] == label


def test_what_the_user_has_to_mend_ends_with_code_2_and_a_line(sweep, tiny_data, tmp_path):
    for words, options in {
        "holds no": [tmp_path],
        "its folder does not exist": [sweep.folder, "--out", tmp_path / "no" / "out.csv"],
        "got nothing there": [sweep.folder, "--images", tmp_path / "no"],
    }.items():
        result = predict(*options)
        assert (result.exit_code, result.stdout) == (2, "")
        assert words in result.stderr or "is not there" in result.stderr
        assert result.stderr.count("\n") == 1
    (tiny_data / "test" / "test03.png").write_bytes((tiny_data / "test" / "test04.png").read_bytes())
    result = predict(sweep.folder)
    assert result.exit_code == 2
    assert "fingerprint" in result.stderr


def test_weights_that_are_not_those_of_the_config_are_refused(sweep):
    weights = sweep.folder / "best" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    result = predict(sweep.folder, "--with", "best")
    assert result.exit_code == 2
    assert "model.safetensors is not the one of config.json" in result.stderr


def test_any_id_that_a_manifest_can_hold_comes_back_byte_for_byte(sweep, tiny_data, tmp_path):
    data = load(tiny_data)
    ids = ("NA", "00012", 'a"b', "a,b", "é.png", "sub/x.png", "nan", "1e5", "a b", "None")
    out = tmp_path / "out.csv"
    write_predictions(predictor.best(sweep.folder), replace(data.test, ids=ids), None, out)
    lines = out.read_bytes().decode().split("\n")
    assert [line.rsplit(",", 1)[0] for line in lines[1:-1]] == [*ids[:2], '"a""b"', '"a,b"', *ids[4:]]


@pytest.mark.skipif("SWEEP_TEST_DATA" not in os.environ, reason="SWEEP_TEST_DATA is not set to the real data's zip")
def test_on_the_real_data_every_test_image_is_predicted_in_its_order(tmp_path):
    words = ("--data", os.environ["SWEEP_TEST_DATA"], "--trials", 2, "--max-epochs", 2, "--limit-train", 400)

    done = command(
        search_main, *words, "--sweep", tmp_path / "sweep", "--fix", "arch=mlp", "--no-baselines", on=here(train)
    )

    assert done.exit_code == 0, done.output
    with zipfile.ZipFile(os.environ["SWEEP_TEST_DATA"]) as archive:
        ids = archive.read("test.txt").decode().splitlines()[1:]
    header, *rows = (tmp_path / "sweep" / "predictions.csv").read_text().splitlines()
    assert header == "id,label"
    assert [row.split(",")[0] for row in rows] == ids
    assert len(rows) == 2819


def test_each_way_to_predict_and_each_place_of_images_has_a_file_of_its_own(trained_sweep, tiny_data, tmp_path):
    sweep, image = trained_sweep.folder, tiny_data / "test" / "test00.png"
    places = [tmp_path / name for name in ("best", "tta", "best-tta", "of-best", "x/best", "best images\n!", "y" * 200)]
    for place in places:
        place.mkdir(parents=True)
        shutil.copy(image, place)
    with zipfile.ZipFile(tmp_path / "best.zip", "w") as archive:
        archive.write(image, "test00.png")

    ways = [["--with", "best"], ["--with", "best", "--tta"], []]
    runs = [[*way, "--images", place] for place in (*places, tmp_path / "best.zip") for way in ways] + ways
    results = [predict(sweep, *options) for options in runs]

    assert [result.exit_code for result in results] == [0] * len(runs)
    assert len({result.stdout.partition(".csv:")[0] for result in results}) == len(runs)
    assert len(list(sweep.glob("predictions*"))) == len(runs)


@pytest.mark.parametrize("name", ["sweep.json", "journal.log", "trials.csv", "best/config.json"])
def test_predictions_are_never_written_over_a_file_of_the_sweep(sweep, name):
    (sweep.folder / "trials.csv").touch()
    before = (sweep.folder / name).read_bytes()

    result = predict(sweep.folder, "--out", sweep.folder / name)

    assert result.exit_code == 2
    assert "is a file of the sweep itself" in result.stderr
    assert (sweep.folder / name).read_bytes() == before


@pytest.mark.parametrize("wrong", [lambda pixels: pixels / np.float32(255), lambda pixels: pixels[:, :, :8, :8]])
def test_a_predictor_refuses_images_that_it_would_answer_by_chance(sweep, wrong):
    model = predictor.best(sweep.folder)
    assert model.probabilities(sweep.data.valid.images).shape == (len(sweep.data.valid.images), 3)

    with pytest.raises(ImageError, match="images must be a ndarray of uint8 pixels in the shape"):
        model.probabilities(wrong(sweep.data.valid.images))


def test_predictions_never_take_the_place_of_the_images_their_manifest_or_the_sweeps_data(sweep, tiny_data, tmp_path):
    folder = shutil.copytree(tiny_data / "test", tmp_path / "new")
    (folder / "list.csv").write_text("id\ntest04.png\n")
    (folder / "labels.csv").write_text("id,label\ntest04.png,1\n")
    (tmp_path / "link.csv").symlink_to(folder / "list.csv")
    manifest = ("--images", folder / "list.csv")

    for out, options in (
        (folder / "list.csv", manifest),
        (folder / "labels.csv", manifest),
        (tmp_path / "link.csv", manifest),
        (folder / "labels.csv", ("--images", folder)),
        (tiny_data / "train.txt", manifest),
        (tiny_data / "train.txt", ()),
    ):
        before = out.read_bytes()

        result = predict(sweep.folder, *options, "--out", out)

        assert (result.exit_code, result.stdout) == (2, "")
        assert f"--out {out}: is " in result.stderr
        assert out.read_bytes() == before
    assert predict(sweep.folder, *manifest, "--out", folder / "labels-2.csv").exit_code == 0


def test_ids_and_labels_stay_as_they_were_written():
    ids = (
        "NA",
        "null",
        "00012",
        "1e5",
        "nan.png",
        "é.png",
        "e\u0301.png",
        "😀.png",
        'a"b',
        "a,b",
        "sub/dir/x.png",
        "a b",
    )
    labels = ("01", "cat", "-1", "NA", "x y", "None", "0", "1", "2", "3", "4", "5")
    shares = np.eye(len(ids))
    data = Submission.plain(ids).table(shares, shares.argmax(axis=1), labels)
    table, _ = parse_table(data, "t.txt")
    assert (table.ids, table.labels) == (ids, labels)
    assert data.startswith(b"id,label\nNA,01\nnull,cat\n00012,-1\n")


def test_predictions_have_the_header_ids_and_order_of_the_sample_submission(trained_sweep, tiny_data, tmp_path):
    data = load(tiny_data)
    form = Submission(("Image", "Kind"), tuple(f"number {row}" for row in range(9, -1, -1)), tuple(range(9, -1, -1)))

    write_predictions(predictor.best(trained_sweep.folder), data.test, form, tmp_path / "out.csv")

    colours = ("red", "green", "blue")
    rows = [f"number {row},{colours[row % 3]}" for row in range(9, -1, -1)]
    assert (tmp_path / "out.csv").read_text().splitlines() == ["Image,Kind", *rows]


def test_new_images_are_read_as_data_is(trained_sweep, tiny_data, tmp_path):
    table = "picture;taken\ntest04;monday\ntest02;friday\n"
    (tiny_data / "new.csv").write_text(table)
    colours = {"test04": "green", "test02": "blue"}

    named = predict(trained_sweep.folder, "--images", tiny_data / "new.csv", "--out", tmp_path / "named.csv")
    one = predict(trained_sweep.folder, "--images", tiny_data / "test/test04.png", "--out", tmp_path / "one.csv")
    wrong = predict(trained_sweep.folder, "--images", tiny_data / "new.csv", "--id-column", "taken")

    assert (named.exit_code, one.exit_code, wrong.exit_code) == (0, 0, 2)
    rows = [f"{name},{colour}" for name, colour in colours.items()]
    assert (tmp_path / "named.csv").read_text().splitlines()[1:] == rows
    assert (tmp_path / "one.csv").read_text().splitlines()[1:] == ["test04.png,green"]
    assert "image must exist, `monday` is none of the files" in wrong.stderr


def test_a_form_that_the_sweep_keeps_is_written_and_new_images_have_ids_and_labels(trained_sweep, tiny_data):
    form = Submission(("no", "green", "red", "blue", "Image"), IDS, (0,), ProbabilityColumns(["green", "red", "blue"]))
    ids = tuple(f"test{number:02}" for number in range(10))
    kept = replace(form, ids=ids, rows=tuple(range(10)), id_column=4, kept={0: tuple(map(str, range(10)))})
    (trained_sweep.folder / "submission.json").write_bytes(to_bytes(kept))

    assert predict(trained_sweep.folder).exit_code == 0
    assert predict(trained_sweep.folder, "--images", tiny_data / "test").exit_code == 0

    header, *rows = csv.reader((trained_sweep.folder / "predictions.csv").open())
    assert header == ["no", "green", "red", "blue", "Image"]
    assert [(row[0], row[4]) for row in rows] == [(str(number), name) for number, name in enumerate(ids)]
    colours = ("red", "green", "blue")
    assert [header[1 + np.argmax([float(cell) for cell in row[1:4]])] for row in rows] == [
        colours[number % 3] for number in range(10)
    ]
    (of_new,) = trained_sweep.folder.glob("predictions-of-test-*.csv")
    assert of_new.read_text().startswith("id,label\ntest00.png,red\n")


def test_the_probabilities_of_the_test_images_stand_beside_the_predictions(trained_sweep):
    write_results(trained_sweep.record, trained_sweep.data)

    header, *rows = csv.reader((trained_sweep.folder / "test_probabilities.csv").open())
    labels = [line.split(",")[1] for line in (trained_sweep.folder / "predictions.csv").read_text().splitlines()[1:]]
    assert header == ["id", "p(blue)", "p(green)", "p(red)"]
    assert [row[0] for row in rows] == list(trained_sweep.data.test.ids)
    assert [("blue", "green", "red")[np.argmax(np.array(row[1:], float))] for row in rows] == labels
    assert np.array([row[1:] for row in rows], float).sum(axis=1) == pytest.approx(1, abs=1e-7)


def test_a_sample_given_to_the_command_is_from_then_on_the_sweeps(trained_sweep, tiny_data, tmp_path):
    names = [f"test{number:02}" for number in range(9, -1, -1)]
    (tmp_path / "mine.csv").write_text("Image,red,blue,green\n" + "".join(f"{name},0,0,0\n" for name in names))
    (tmp_path / "wrong.csv").write_text("Image,red\n" + "".join(f"{name},0\n" for name in names))

    wrong = predict(trained_sweep.folder, "--submission", tmp_path / "wrong.csv")
    given = predict(trained_sweep.folder, "--submission", tmp_path / "mine.csv")
    (tmp_path / "mine.csv").unlink()
    moved = tiny_data.rename(tmp_path / "moved")
    later = predict(trained_sweep.folder, "--data", moved, "--out", tmp_path / "later.csv")

    assert (wrong.exit_code, given.exit_code, later.exit_code) == (2, 0, 0)
    assert "the form that a sample shows must be known, got" in wrong.stderr
    written = (trained_sweep.folder / "predictions.csv").read_bytes()
    header, *rows = csv.reader(written.decode().splitlines())
    assert (header, [row[0] for row in rows]) == (["Image", "red", "blue", "green"], names)
    assert (tmp_path / "later.csv").read_bytes() == written
    other = predict(trained_sweep.folder, "--images", moved, "--submission", "x.csv")
    assert "--images names others" in other.stderr
