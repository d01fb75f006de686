"""The best model as an ONNX file, and its card."""

import errno
import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from sweep.analysis.estimates.choice import choose
from sweep.analysis.export import main
from sweep.analysis.outputs import export
from sweep.analysis.outputs.best import read_best, write_best
from sweep.analysis.outputs.export import ExportError, write_export
from sweep.analysis.report.markdown import escaped
from sweep.datasets.load import load
from sweep.trainable.config import TrialConfig
from tests.sweeps import MLP, SweepBuilder
from tests.trees import image, table, with_manifests, write

ROOT = Path(__file__).resolve().parents[3]
HOSTILE = ("<script>alert(1)</script>", "a|b", "`x` *y* [z](http://evil)")
CNN = TrialConfig(arch="cnn", width=1.0, depth=2, head=32, epochs=2)
RESNET = TrialConfig(arch="small_resnet", width=1.0, depth=1, epochs=2)
SIDE_PX = 8  # three strides of 2 leave 1 px: the short kernels of trainable.models.conv are in


def new_sweep(folder, config):
    """A sweep with data on the disk, whose classes have hostile names, and `best/`."""
    tree = with_manifests(train=6, validation=70, test=3)
    tree = {name: image(number, SIDE_PX) if name.endswith(".png") else tree[name] for number, name in enumerate(tree)}
    for split, count in (("train", 6), ("validation", 70)):
        quoted = [HOSTILE[number % 3] for number in range(count)]
        tree[f"{split}.txt"] = table("id,label", *(f"{split}{n}.png,{label}" for n, label in enumerate(quoted)))
    del tree["sample_submission.txt"]
    data = load(write(tree, folder / "data"))
    sweep = SweepBuilder(folder / "sweep", data, data_path=str(folder / "data"))
    sweep.add(MLP, [20, 30])
    sweep.add(config, [30, 60, 55])
    write_best(sweep.record)
    return sweep


def run(*options):
    return CliRunner().invoke(main, [str(option) for option in options])


@pytest.fixture(scope="module", params=[CNN, RESNET], ids=lambda config: config.arch)
def exported(request, tmp_path_factory):
    """A sweep, and the result of the command; not to be changed."""
    sweep = new_sweep(tmp_path_factory.mktemp("export"), request.param)
    return sweep, run(sweep.folder)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    return new_sweep(tmp_path_factory.mktemp("faults"), RESNET)


@pytest.fixture
def without_tracing(exported, monkeypatch):
    """The sweep of `exported`; tracing takes seconds, and the model is there already."""
    sweep, _ = exported
    model = onnx.load(sweep.folder / "model.onnx")
    monkeypatch.setattr(export, "to_onnx", lambda best, metadata: model)
    return sweep, model


def test_the_file_computes_what_torch_computes_for_any_number_of_images(exported):
    sweep, result = exported
    assert result.exit_code == 0, result.output
    path = sweep.folder / "model.onnx"
    assert re.fullmatch(rf"{path}: trial 1, logits within \S+ of torch's\n{path.parent}/model-card.md\n", result.stdout)
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = onnxruntime.InferenceSession(path)
    net = read_best(sweep.folder).module_on("cpu")
    for count in (1, 2, 7, 70):
        images = sweep.data.valid.images[:count]
        logits, probabilities = session.run(["logits", "probabilities"], {"images": images})
        with torch.no_grad():
            expected = net(torch.from_numpy(images))
        assert (logits.dtype, logits.shape) == (np.float32, (count, 3))
        assert np.abs(logits - expected.numpy()).max() < 1e-4
        assert np.abs(probabilities - expected.softmax(dim=1).numpy()).max() < 1e-5
    inputs = [(tensor.name, tensor.type, tensor.shape[1:]) for tensor in session.get_inputs()]
    assert inputs == [("images", "tensor(uint8)", [3, SIDE_PX, SIDE_PX])]


def test_the_metadata_say_all_that_it_takes_to_use_the_file(exported):
    sweep, _ = exported
    metadata = onnxruntime.InferenceSession(sweep.folder / "model.onnx").get_modelmeta().custom_metadata_map
    assert tuple(json.loads(metadata["classes"])) == sweep.data.classes
    assert set(sweep.data.classes) == set(HOSTILE)
    assert json.loads(metadata["image_size"]) == [SIDE_PX, SIDE_PX]
    assert metadata["layout"].startswith("images: uint8 (N, 3, H, W), RGB")
    assert (metadata["trial"], metadata["data_fingerprint"]) == ("1", sweep.data.fingerprint)
    assert TrialConfig.from_dict(json.loads(metadata["config"])) == read_best(sweep.folder).config


def test_the_file_names_no_folder_of_this_machine(exported):
    content = (exported[0].folder / "model.onnx").read_bytes()
    for words in (str(ROOT), "site-packages", str(exported[0].folder)):
        assert words.encode() not in content


def test_the_card_has_the_numbers_and_the_data(exported):
    sweep, _ = exported
    card = (sweep.folder / "model-card.md").read_text()
    record = sweep.record
    assert escaped(choose(record).sentence) in card
    assert sweep.data.fingerprint in card
    assert "6 train, 70 validation, 3 test images" in card
    session = onnxruntime.InferenceSession(sweep.folder / "model.onnx")
    logits = session.run(["logits"], {"images": sweep.data.valid.images})[0]
    right = int((logits.argmax(axis=1) == sweep.data.valid.labels).sum())
    assert f"has an accuracy of {100 * right / 70:.2f} % on the 70 validation images" in card
    assert f"- lr: {record.best.config['lr']}" in card


def test_hostile_class_names_do_nothing_in_the_card(exported):
    card = (exported[0].folder / "model-card.md").read_text()
    assert "<script" not in card
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in card
    assert r"\`x\` \*y\* \[z\](http://evil)" in card
    rows = [line for line in card.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {4, 5}
    assert r"| a\|b | 2 | 23 |" in card


def test_the_code_in_the_card_runs(exported, tmp_path, monkeypatch, capsys):
    sweep, _ = exported
    shutil.copy(sweep.folder / "model.onnx", tmp_path)
    images = sweep.data.valid.images
    Image.fromarray(images[0].transpose(1, 2, 0)).save(tmp_path / "image.png")
    code = re.search(r"```python\n(.*?)```", (sweep.folder / "model-card.md").read_text(), re.DOTALL)[1]
    monkeypatch.chdir(tmp_path)

    exec(code, {})

    net = read_best(sweep.folder).module_on("cpu")
    with torch.no_grad():
        expected = sweep.data.classes[int(net(torch.from_numpy(images[:1])).argmax())]
    assert capsys.readouterr().out.startswith(expected)


def test_a_name_of_ones_own_names_the_card_too(without_tracing, tmp_path):
    sweep, _ = without_tracing
    result = run(sweep.folder, "--out", tmp_path / "shapes_16.onnx")
    assert result.exit_code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"shapes_16.onnx", "shapes_16-card.md"}
    card = (tmp_path / "shapes_16-card.md").read_text()
    assert r"shapes\_16.onnx labels images" in card
    assert "onnxruntime.InferenceSession('shapes_16.onnx')" in card


def test_a_card_never_takes_the_place_of_another_text(sweep, tmp_path):
    (tmp_path / "a-card.md").write_text("my notes")

    result = run(sweep.folder, "--out", tmp_path / "a.onnx")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "a-card.md is there already and no model card; give another name" in result.stderr
    assert [path.name for path in tmp_path.glob("a*")] == ["a-card.md"]


def test_a_file_that_computes_something_else_does_not_appear(without_tracing, tmp_path):
    sweep, model = without_tracing
    weights = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 4)
    changed = np.frombuffer(weights.raw_data, np.float32).copy()
    changed[0] += 0.1
    weights.raw_data = changed.tobytes()

    with pytest.raises(ExportError, match=r"must be torch's to 0\.0001, and differ by up to"):
        write_export(sweep.record, read_best(sweep.folder), sweep.data, tmp_path / "model.onnx")

    assert not list(tmp_path.iterdir())


def test_a_net_that_torch_cannot_write_is_named(sweep, monkeypatch):
    def refuse(*_, **__):
        raise torch.onnx.errors.OnnxExporterError("no such operator\nand a page more")

    monkeypatch.setattr(torch.onnx, "export", refuse)

    result = run(sweep.folder)

    assert (result.exit_code, result.stdout) == (2, "")
    assert re.fullmatch(r"arch small_resnet: torch \S+ cannot write it as ONNX: no such operator\n", result.stderr)
    assert not list(sweep.folder.glob("model*"))


def test_a_full_disk_leaves_the_file_that_was_there(without_tracing, tmp_path, monkeypatch):
    sweep, _ = without_tracing
    out = tmp_path / "model.onnx"
    out.write_bytes(b"before")

    def full(path, content):
        with open(path, "wb") as file:
            file.write(content[:100])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        result = run(sweep.folder, "--out", out)

    assert (result.exit_code, result.stdout) == (4, "")
    assert os.strerror(errno.ENOSPC) in result.stderr
    assert out.read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_a_best_trial_that_came_later_is_not_praised_with_its_numbers(without_tracing, tmp_path):
    sweep, _ = without_tracing
    best = read_best(sweep.folder)

    write_export(sweep.record, replace(best, trial=0), sweep.data, tmp_path / "model.onnx")

    card = (tmp_path / "model-card.md").read_text()
    assert "No corrected estimate: another trial is the best by now." in card
    assert escaped(choose(sweep.record).sentence) not in card


def test_what_the_user_has_to_mend_ends_with_code_2_and_nothing_written(sweep, tmp_path):
    def changed(name, change):
        folder = tmp_path / name
        shutil.copytree(sweep.folder.parent, folder)
        settings = json.loads((folder / "sweep" / "sweep.json").read_text())
        settings["data"] = str(folder / "data")
        (folder / "sweep" / "sweep.json").write_text(json.dumps(settings))
        change(folder)
        return folder / "sweep"

    def cut_weights(folder):
        path = folder / "sweep" / "best" / "model.safetensors"
        path.write_bytes(path.read_bytes()[:-1])

    cases = {
        "holds no sweep": [tmp_path / "no"],
        "written once a trial is COMPLETE": [changed("begun", lambda f: shutil.rmtree(f / "sweep" / "best"))],
        "is not the one of config.json": [changed("cut", cut_weights)],
        "got nothing there": [changed("moved", lambda f: (f / "data").rename(f / "elsewhere"))],
        "fingerprint": [
            changed("other", lambda f: (f / "data" / "test" / "test0.png").write_bytes(image(99, SIDE_PX)))
        ],
        "its folder does not exist": [sweep.folder, "--out", tmp_path / "none" / "model.onnx"],
        "is a folder": [sweep.folder, "--out", tmp_path],
        "its name must end in .onnx, got sweep.json": [sweep.folder, "--out", sweep.folder / "sweep.json"],
    }
    before = sorted(path for path in tmp_path.rglob("*"))
    for words, options in cases.items():
        result = run(*options)
        assert (result.exit_code, result.stdout) == (2, ""), words
        assert words in result.stderr
        assert result.stderr.count("\n") == (3 if words == "fingerprint" else 1)  # with the difference, and what to do
    assert sorted(path for path in tmp_path.rglob("*")) == before
    assert not list(sweep.folder.glob("model*"))
