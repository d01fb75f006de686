"""A checkpoint: what it keeps, and every way in which it can be damaged."""

import json
import os
import pickle
import random
from dataclasses import asdict, replace

import pytest
import torch

from sweep.storage.paths import attempt_folder, checkpoints, newest_checkpoints
from sweep.storage.tensors import read_tensors, save_tensors
from sweep.trainable.checkpoint import CheckpointError, read_checkpoint
from sweep.trainable.config import TrialConfig
from sweep.trainable.loop import train
from sweep.trainable.metrics.history import EpochMetrics
from sweep.trainable.saving import load, save
from sweep.trainable.state import new_state
from tests.trials import in_memory

DATA = in_memory(train=26)
CONFIG = TrialConfig(
    arch="cnn", width=1.0, depth=2, head=16, epochs=2, seed=3, batch_size=8, optimizer="adamw", lr=0.01
)


def test_the_two_newest_checkpoints_are_kept(tmp_path):
    config = replace(CONFIG, epochs=4)
    state = new_state(config, DATA)
    for _ in train(config, DATA, state):
        save(state, config, tmp_path)

    assert [path.name for path in checkpoints(tmp_path)] == [
        "checkpoint-0004.safetensors",
        "checkpoint-0003.safetensors",
    ]


def test_a_checkpoint_of_before_a_hyperparameter_was_added_is_gone_on_with(tmp_path, monkeypatch):
    state = new_state(CONFIG, DATA)
    next(train(CONFIG, DATA, state))
    older = {name: value for name, value in CONFIG.to_dict().items() if name != "cutmix"}
    monkeypatch.setattr(TrialConfig, "to_dict", lambda config: older)
    path = save(state, CONFIG, tmp_path)
    monkeypatch.undo()

    assert load(path, CONFIG, DATA, "accuracy").epochs_done == 1


def test_a_predicted_class_above_255_is_kept_as_it_is(tmp_path):
    data = replace(DATA, classes=tuple(map(str, range(1010))))
    data = replace(data, train=replace(data.train, labels=data.train.labels + 900))
    config = replace(CONFIG, lr=1.0, optimizer="sgd")
    state = new_state(config, data)
    list(train(config, data, state))

    kept = read_checkpoint(save(state, config, tmp_path))

    assert (kept.valid_classes == kept.valid_logits.argmax(axis=1)).any(axis=1).sum() >= 1
    assert kept.valid_classes.max() > 255
    assert load(checkpoints(tmp_path)[0], config, data, "accuracy").epochs_done == 2


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """A checkpoint of a net with optimiser state, to be damaged."""
    config = CONFIG
    state = new_state(config, DATA)
    list(train(config, DATA, state))
    return save(state, config, tmp_path_factory.mktemp("checkpoint")).read_bytes()


def refusal(path, content):
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=path.name) as error:
        read_checkpoint(path)
    return str(error.value)


def test_a_checkpoint_cut_anywhere_is_an_error_that_names_it(content, tmp_path):
    header = 8 + int.from_bytes(content[:8], "little")
    cuts = {0, 1, 7, 8, 9, header - 1, header, header + 1, len(content) - 1} | set(range(0, len(content), 2000))

    for cut in cuts:
        refusal(tmp_path / "checkpoint-0002.safetensors", content[:cut])
    refusal(tmp_path / "checkpoint-0002.safetensors", content + b"more")


def test_any_flipped_bit_of_a_checkpoint_is_an_error_that_names_it(content, tmp_path):
    header = 8 + int.from_bytes(content[:8], "little")
    history = content.index(b"train_loss") + 14  # within a number, where the file stays well formed
    rng = random.Random(0)
    bits = [*range(64), *range(8 * history, 8 * history + 4)]
    bits += [rng.randrange(64, 8 * header) for _ in range(150)] + [rng.randrange(8 * len(content)) for _ in range(50)]

    for bit in bits:
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        refusal(tmp_path / "checkpoint-0002.safetensors", damaged)
    refusal(tmp_path / "checkpoint-0002.safetensors", content.replace(b'"F32"', b'"I32"', 1))


def test_memory_too_short_for_a_checkpoint_does_not_make_it_a_damaged_one(content, tmp_path, monkeypatch):
    def no_memory(*arguments, **options):
        raise MemoryError

    (tmp_path / "checkpoint-0002.safetensors").write_bytes(content)
    monkeypatch.setattr("sweep.storage.tensors.safe_open", no_memory)

    with pytest.raises(MemoryError):
        read_checkpoint(tmp_path / "checkpoint-0002.safetensors")


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("history", "[" * 100_000),
        ("history", "[]"),
        ("history", "{}"),
        ("history", "7"),
        ("history", "[7]"),
        ("history", '[{"epoch": 1}]'),
        ("history", "{history:0.25=NaN}"),
        ("history", "{history:0.25=Infinity}"),
        ("history", "{history:0.25=1e999}"),
        ("history", "{history:0.25=" + "9" * 400 + "}"),
        ("history", '{history:0.25="0.25"}'),
        ("history", '{history:"epoch": 1=2}'),
        ("config", "[" * 100_000),
        ("config", None),
        ("metric", "speed"),
        ("valid_classes", torch.zeros(1, 20)),
        ("valid_classes", torch.zeros(2, 20, dtype=torch.uint8)),
        ("valid_classes", torch.zeros(1, 19, dtype=torch.uint8)),
        ("valid_logits", torch.zeros(20, 3, dtype=torch.float64)),
        ("valid_logits", torch.zeros(())),
        ("valid_logits", None),
        ("scaler.scale", torch.tensor(1.0)),  # without what else a scaler has
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_checkpoint_whose_parts_do_not_fit_is_an_error_though_its_checksum_is_right(tmp_path, part, value):
    """`{history:A=B}` is a history of one epoch with A replaced by B."""
    epoch = EpochMetrics(1, 0.25, 0.5, 0.5, 0.5, 0.1, 0.5, 8)
    history = json.dumps([asdict(epoch)])
    parts = {"config": "{}", "metric": "accuracy", "history": history}
    parts |= {"valid_classes": torch.zeros(1, 20, dtype=torch.uint8), "valid_logits": torch.zeros(20, 3)}
    path = tmp_path / "checkpoint-0001.safetensors"

    def write():
        metadata = {name: value for name, value in parts.items() if isinstance(value, str)}
        tensors = {name: value for name, value in parts.items() if isinstance(value, torch.Tensor)}
        save_tensors(path, tensors, metadata)

    write()
    assert read_checkpoint(path).history == [epoch]

    if isinstance(value, str) and value.startswith("{history:"):
        old, _, new = value[len("{history:") : -1].partition("=")
        assert history.count(old) == 1
        value = history.replace(old, new)
    parts[part] = value
    write()
    refusal(path, path.read_bytes())


def test_a_pickle_in_the_place_of_a_checkpoint_is_an_error_and_runs_nothing(tmp_path):
    class Planted:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "code-ran"),)

    torch.save(Planted(), tmp_path / "saved.pt")
    for content in (pickle.dumps(Planted()), (tmp_path / "saved.pt").read_bytes()):
        refusal(tmp_path / "checkpoint-0003.safetensors", content)
    refusal(tmp_path / "checkpoint-0003.safetensors", (2**63).to_bytes(8, "little") + b"{}")
    refusal(tmp_path / "checkpoint-0003.safetensors", (10**5).to_bytes(8, "little") + b"[" * 10**5)
    assert not (tmp_path / "code-ran").exists()


def test_a_pipe_in_the_place_of_a_checkpoint_is_an_error_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "checkpoint-0003.safetensors")

    with pytest.raises(CheckpointError, match="no regular file"):
        read_checkpoint(tmp_path / "checkpoint-0003.safetensors")


def test_a_checkpoint_of_other_weights_than_the_config_has_is_an_error(tmp_path):
    config = replace(CONFIG, epochs=1)
    other = new_state(replace(config, head=8), DATA)
    list(train(config, DATA, other))
    path = save(other, config, tmp_path)

    with pytest.raises(CheckpointError, match=r"checkpoint-0001.*other weights"):
        load(path, config, DATA, "accuracy")


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"config": replace(CONFIG, lr=0.02)}, "another config"),
        ({"metric": "log_loss"}, "another config"),
        ({"data": in_memory(valid=19)}, "other images"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_checkpoint_of_another_trial_is_an_error(content, tmp_path, changed, problem):
    path = tmp_path / "checkpoint-0002.safetensors"
    path.write_bytes(content)

    with pytest.raises(CheckpointError, match=problem):
        load(path, **{"config": CONFIG, "data": DATA, "metric": "accuracy"} | changed)


@pytest.mark.parametrize("name", ["optimizer.99.exp_avg", "optimizer.x.exp_avg", "optimizer.0.step"])
def test_optimizer_state_of_no_parameter_of_the_config_is_an_error(content, tmp_path, name):
    path = tmp_path / "checkpoint-0002.safetensors"
    path.write_bytes(content)
    metadata, mapped = read_tensors(path)
    tensors = {key: tensor.clone() for key, tensor in mapped.items()}
    tensors[name] = torch.zeros(7)
    save_tensors(path, tensors, metadata)

    with pytest.raises(CheckpointError, match=f"holds {name}"):
        load(path, CONFIG, DATA, "accuracy")


def test_a_trial_goes_on_from_its_furthest_checkpoint_however_many_digits_its_epoch_has(tmp_path):
    for attempt, epochs in ((1, (9998, 10000)), (2, (9999,))):
        attempt_folder(tmp_path, attempt).mkdir()
        for epoch in epochs:
            (attempt_folder(tmp_path, attempt) / f"checkpoint-{epoch:04d}.safetensors").touch()

    found = newest_checkpoints(tmp_path, 2)

    assert [path.stem for path in found] == ["checkpoint-10000", "checkpoint-9999", "checkpoint-9998"]
