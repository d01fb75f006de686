"""A sweep of a pretrained net: its weights are there before anything starts, or one line says why not."""

import json
import shutil
from dataclasses import replace

import pytest
import torch

from sweep.analysis.estimates.choice import choose
from sweep.analysis.export import main as export
from sweep.analysis.outputs import best, predictor
from sweep.analysis.predict import main as predict
from sweep.analysis.record import Record
from sweep.search.check import main as check
from sweep.search.refit import main as refit
from sweep.search.repeat import main as repeat
from sweep.search.run import main
from sweep.storage.sweep_file import SweepFile
from sweep.trainable import loop, weights
from sweep.trainable.weights import cache
from tests.searched import command, here
from tests.trainable.weights import nets
from tests.trainable.weights.fixtures import empty_machine, server

__all__ = ["empty_machine", "server"]

WHOLE = f"{nets.REPOSITORY}/model.safetensors"
PRETRAINED = ("--fix", f"arch={nets.TIMM}", "--fix", "pretrained=true", "--fix", "epochs=1")


@pytest.fixture
def words(tiny_data, tmp_path):
    return ("--data", tiny_data, "--sweep", tmp_path / "sweep", "--trials", 2, *PRETRAINED)


@pytest.fixture
def hub(server, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", server.address)
    server.files[WHOLE] = nets.safetensors_of(nets.TIMM)
    return server


def run(*words):
    """Runs a command as a process of its own would: it remembers no weights."""
    weights.remember({})
    return command(*words, on=here())


def test_they_are_fetched_and_source_hash_and_licence_stand_in_the_sweeps_file(hub, words, tmp_path):
    done = run(main, *words)

    assert done.exit_code == 0, done.output
    assert f"Fetches the weights of {nets.TIMM}" in done.output
    entry = SweepFile.read(tmp_path / "sweep").weights[nets.TIMM]
    assert entry.source == f"timm, {hub.address}/timm/test_resnet.r160_in1k"
    assert entry.sha256 == cache.find(nets.TIMM, entry.sha256).sha256
    assert entry.licence == "apache-2.0"


def test_report_best_and_model_card_tell_of_them_and_predicting_with_the_best_needs_them_no_more(hub, words, tmp_path):
    run(main, *words)
    sweep = tmp_path / "sweep"
    for part in ("hf", "cache"):
        shutil.rmtree(tmp_path / part)
    weights.remember({})

    done = [command(export, sweep), command(predict, sweep, "--with", "best", "--out", tmp_path / "answers.csv")]

    assert [each.exit_code for each in done] == [0, 0], [each.output for each in done]
    entry = SweepFile.read(sweep).weights[nets.TIMM]
    told = {
        name: (sweep / name).read_text() for name in ("report.md", "report.html", "model-card.md", "best/config.json")
    }
    words = (nets.TIMM, entry.sha256, entry.licence, entry.source)
    assert [(name, word) for name, text in told.items() for word in words if word not in text] == []


SPACE = f"""
from sweep.trainable.config import TrialConfig

KINDS = {{
    "linear": dict(arch="logistic_head", backbone="{nets.TIMM}", stages="-1", penalty=0.1),
    "mlp": dict(arch="mlp_head", backbone="{nets.TIMM}", stages="2-3", hidden=8),
    "tuned": dict(arch="{nets.TIMM}", frozen_stages=1),
}}


def suggest(trial):
    kind = KINDS[trial.suggest_categorical("kind", list(KINDS))]
    return TrialConfig(**kind, pretrained=True, input_size=32, lr=0.01, batch_size=8, epochs=1)
"""
WAYS = ("best", "ensemble", "refit")


@pytest.fixture
def of_one_net(hub, tiny_data, tmp_path, monkeypatch):
    """A refitted sweep of two heads on a net, and of the net itself fine-tuned behind its first stage: all together."""

    def all_together(record):
        choice = choose(record)
        every = replace(choice.best, members=tuple((trial.number, 1) for trial in record.trials), label="all together")
        return replace(choice, options=(choice.best, every))

    for module in (best, predictor):
        monkeypatch.setattr(module, "choose", all_together)
    sweep, queue, space = tmp_path / "sweep", tmp_path / "queue.json", tmp_path / "space.py"
    queue.write_text(json.dumps([{"kind": kind} for kind in ("linear", "mlp", "tuned")]))
    space.write_text(SPACE)
    words = ("--data", tiny_data, "--sweep", sweep, "--trials", 3, "--space", f"{space}:suggest", "--enqueue", queue)
    for command_and_words in ((main, *words), (refit, sweep, "--seeds", 1)):
        weights.remember({})
        done = command(*command_and_words, on=here(loop.train))
        assert done.exit_code == 0, done.output
    return sweep


def answers(sweep):
    """Returns what each way to predict says, as a process of its own would."""
    found = {}
    for way in WAYS:
        weights.remember({})
        out = sweep.parent / f"{way}.csv"
        done = command(predict, sweep, "--with", way, "--probabilities", "--out", out)
        assert done.exit_code == 0, done.output
        found[way] = out.read_text()
    return found


def test_best_has_a_net_once_for_all_models_and_they_predict_where_no_weights_are_on_the_machine(of_one_net, tmp_path):
    before = answers(of_one_net)

    for part in ("hf", "cache"):
        shutil.rmtree(tmp_path / part)

    assert answers(of_one_net) == before
    assert not (tmp_path / "cache" / "weights").exists()
    (file,) = (of_one_net / "best" / "pretrained").iterdir()
    about = json.loads((of_one_net / "best" / "config.json").read_text())
    assert about["pretrained_files"] == {file.name: cache.sha256_of(file)}
    assert about["pretrained"][nets.TIMM]["licence"] == "apache-2.0"


def test_a_net_in_best_is_checked_and_leaves_it_once_nothing_needs_it(of_one_net):
    (file,) = (of_one_net / "best" / "pretrained").iterdir()
    other = file.with_name("other.safetensors")
    other.write_bytes(b"of an earlier best trial")
    found = [command(check, of_one_net)]

    best.write_best(Record(of_one_net))
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    found.append(command(predict, of_one_net, "--with", "best"))

    assert [done.exit_code for done in found] == [0, 2], [done.output for done in found]
    assert not other.exists()
    assert f"{file.name} is not the file of config.json" in found[1].output


def test_the_same_command_and_the_sweeps_of_its_best_take_what_was_kept(hub, words, tmp_path):
    run(main, *words)
    hub.asked.clear()
    shutil.rmtree(tmp_path / "hf")
    more = [4 if word == 2 else word for word in words]

    again = [run(main, *more, "--offline"), run(repeat, tmp_path / "sweep", "--seeds", 1, "--top", 1, "--offline")]
    again.append(run(refit, tmp_path / "sweep", "--seeds", 1, "--offline"))

    assert [done.exit_code for done in again] == [0, 0, 0], [done.output for done in again]
    assert hub.asked == []
    entries = [SweepFile.read(tmp_path / "sweep" / part).weights for part in (".", "repeat", "refit")]
    assert entries[0] == entries[1] == entries[2]


def test_a_finished_sweep_is_reported_without_them(hub, words, tmp_path):
    run(main, *words)
    for part in ("hf", "cache"):
        shutil.rmtree(tmp_path / part)

    done = run(main, *words, "--offline")

    assert done.exit_code == 0, done.output
    assert "All 2 trials of this sweep have ended" in done.output


def test_a_sweep_that_goes_on_with_another_file_is_refused_with_both(words, tmp_path):
    file = nets.saved(nets.TIMM, tmp_path / "test_resnet.pth")
    run(main, *words, "--weights", file)
    before = cache.sha256_of(file)
    torch.save({name: tensor + 1 for name, tensor in nets.net(nets.TIMM).state_dict().items()}, file)
    more = [4 if word == 2 else word for word in words]

    done = run(main, *more, "--weights", file)

    assert done.exit_code == 2
    (line,) = done.output.strip().splitlines()
    assert before in line
    assert cache.sha256_of(file) in line


def test_a_licence_that_asks_for_a_look_is_said_before_training(words, tmp_path, capfd):
    done = run(main, *words, "--weights", nets.saved(nets.TIMM, tmp_path / "test_resnet.pth"))

    assert done.exit_code == 0, done.output
    printed = capfd.readouterr().out
    assert 0 < printed.index("have no known licence: find out whether you may use") < printed.index("trial 0 COMPLETE")
    assert "have no known licence" in (tmp_path / "sweep" / "report.md").read_text()


def no_file(tmp_path, hub):
    return "--weights", tmp_path / "nowhere.pth"


def other_net(tmp_path, hub):
    return "--weights", nets.saved(nets.OTHER, tmp_path / "test_resnet.pth")


def no_weights(tmp_path, hub):
    (tmp_path / "test_resnet.pth").write_bytes(b"no weights")
    return "--weights", tmp_path / "test_resnet.pth"


def offline(tmp_path, hub):
    return ("--offline",)


def interrupted(tmp_path, hub):
    hub.sent[WHOLE] = 1000
    return ()


def wrong_hash(tmp_path, hub):
    hub.promised[WHOLE] = "0" * 64
    return ()


def no_rights(tmp_path, hub):
    (tmp_path / "hf").write_text("no folder")  # rights would not keep root out
    return ()


def no_network(tmp_path, hub):
    hub.status[WHOLE] = 503
    return ()


@pytest.mark.parametrize(
    "fault", [no_file, other_net, no_weights, offline, interrupted, wrong_hash, no_rights, no_network]
)
def test_what_cannot_be_is_one_line_and_nothing_is_written(fault, hub, words, tmp_path):
    given = fault(tmp_path, hub)

    done = run(main, *words, *given)

    lines = [line for line in done.output.strip().splitlines() if not line.startswith("Fetches ")]
    assert (done.exit_code, len(lines)) == (2, 1), done.output
    assert not (tmp_path / "sweep").exists()
    assert list((tmp_path / "cache").rglob("*.safetensors")) == []
