"""Training itself: same numbers from the same seed, across a restart too."""

import json
import os
import pickle
import random
import weakref
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import trainable.state as state_module
from tests.trials import in_memory
from trainable.config import AUGMENTATIONS, TrialConfig
from trainable.loop import Batch, Diverged, evaluate, on_device, predict_logits, steps_per_epoch, train
from trainable.metrics import EpochMetrics
from trainable.state import CheckpointError, checkpoints, load, new_state, read_checkpoint, save
from trainable.tensors import read_tensors, save_tensors
from trainable.train import main

DATA = in_memory(train=26)
EVERYTHING = dict.fromkeys(AUGMENTATIONS, 0.5) | {"mixup": 0.3, "cutmix": 0.3, "label_smoothing": 0.1}
CONFIGS = [
    TrialConfig(arch="small_resnet", width=1.0, depth=1, epochs=4, seed=3, batch_size=8, **EVERYTHING),
    TrialConfig(arch="cnn", width=1.0, depth=2, head=16, epochs=4, seed=3, batch_size=8, optimizer="adamw", lr=0.01),
    TrialConfig(arch="mobilenet_v3_small", pretrained=False, epochs=4, seed=3, batch_size=8, lr=1e-3),  # it has dropout
]


def without_seconds(history):
    return [replace(metrics, seconds=0.0) for metrics in history]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.arch)
def test_two_runs_with_one_seed_give_equal_metrics_and_another_seed_gives_others(config):
    config = replace(config, epochs=2)
    first, second, other = (list(train(c, DATA, new_state(c, DATA))) for c in (config, config, replace(config, seed=4)))

    assert without_seconds(first) == without_seconds(second)
    assert without_seconds(first) != without_seconds(other)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.arch)
def test_a_trial_stopped_after_epoch_2_and_continued_equals_an_unbroken_one_to_the_last_bit(config, tmp_path):
    unbroken = new_state(config, DATA)
    expected = list(train(config, DATA, unbroken))

    state, seen = new_state(config, DATA), []
    for metrics in train(config, DATA, state):
        seen.append(metrics)
        path = save(state, config, tmp_path)
        if metrics.epoch == 2:
            break  # the worker is gone
    torch.manual_seed(12345)
    continued = load(path, config, DATA, "accuracy")
    seen += list(train(config, DATA, continued))

    assert [metrics.epoch for metrics in seen] == [1, 2, 3, 4]
    assert without_seconds(seen) == without_seconds(expected)
    for name, tensor in unbroken.model.state_dict().items():
        assert torch.equal(tensor, continued.model.state_dict()[name]), name
    assert np.array_equal(np.stack(continued.valid_classes), np.stack(unbroken.valid_classes))
    assert np.array_equal(continued.best_logits, unbroken.best_logits)
    assert continued.best_epoch == unbroken.best_epoch


def test_an_easy_task_is_learnt():
    config = TrialConfig(arch="small_resnet", width=1.0, depth=1, epochs=6, batch_size=8, lr=0.05)
    state = new_state(config, DATA)
    history = list(train(config, DATA, state))

    assert max(metrics.valid_accuracy for metrics in history) == 1.0
    assert history[-1].train_loss < history[0].train_loss


def test_the_kept_weights_predict_the_kept_logits():
    config = CONFIGS[1]
    state = new_state(config, DATA)
    list(train(config, DATA, state))

    state.model.load_state_dict(state.best_weights)
    logits = predict_logits(config, state.model, on_device(DATA.valid.images, torch.device("cpu")))

    assert np.array_equal(logits, state.best_logits)
    assert np.array_equal(logits.argmax(axis=1), state.valid_classes[state.best_epoch - 1])


def test_images_that_are_not_square_train_without_being_transposed():
    images = {"train": DATA.train, "valid": DATA.valid}
    wide = {name: replace(split, images=split.images[:, :12]) for name, split in images.items()}
    config = replace(CONFIGS[0], epochs=1, transpose=1.0)

    assert len(list(train(config, replace(DATA, **wide), new_state(config, replace(DATA, **wide))))) == 1


def test_a_rate_that_is_far_too_high_diverges():
    config = TrialConfig(arch="mlp", width=1.0, optimizer="sgd", schedule="constant", lr=1e30, epochs=3, batch_size=8)

    with pytest.raises(Diverged, match="epoch 1"):
        list(train(config, DATA, new_state(config, DATA)))


def test_for_a_loss_the_best_epoch_is_the_smallest():
    config = replace(CONFIGS[1], epochs=3)
    state = new_state(config, DATA, metric="loss")
    history = list(train(config, DATA, state))

    losses = [metrics.valid_loss for metrics in history]
    assert state.best_epoch == 1 + losses.index(min(losses))


@pytest.mark.parametrize(("images", "steps"), [(16, 2), (17, 2), (18, 3), (5, 1)])
def test_a_last_batch_of_one_image_is_left_out(images, steps):
    assert steps_per_epoch(replace(CONFIGS[0], batch_size=8), images) == steps


def test_evaluation_gives_loss_and_accuracies():
    logits = np.log(np.array([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7]], dtype=np.float32))

    result = evaluate(logits, np.array([0, 0, 0]), classes=2)

    assert result["valid_loss"] == pytest.approx(-np.log([0.8, 0.6, 0.3]).mean(), abs=1e-6)
    assert result["valid_accuracy"] == pytest.approx(2 / 3)
    assert result["valid_balanced_accuracy"] == pytest.approx(2 / 3)  # class 1 does not occur


def short_of_memory(model, images):
    """From now on the last layer fails as CUDA does, in training with more images than these."""

    def refuse(layer, inputs):
        if layer.training and len(inputs[0]) > images:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    list(model.modules())[-1].register_forward_pre_hook(refuse)


@pytest.mark.parametrize(
    ("images", "micro_batch", "parts"),
    [
        (8, 8, [8]),
        (5, 8, [5]),
        (8, 4, [4, 4]),
        (10, 4, [4, 3, 3]),
        (9, 2, [3, 2, 2, 2]),  # none of a single image, in which batch norm has no variance
        (3, 2, [3]),
        (2, 2, [2]),
    ],
)
def test_micro_batches_are_nearly_equal_and_never_a_single_image(images, micro_batch, parts):
    batch = Batch(torch.zeros(images, 3, 2, 2), torch.zeros(images), torch.zeros(images), 0.5)

    assert [(len(p.images), len(p.labels), len(p.partners)) for p in batch.parts(micro_batch)] == [
        (size, size, size) for size in parts
    ]


@pytest.mark.parametrize("mixing", [{}, {"mixup": 1.0}, {"cutmix": 1.0}], ids=str)
def test_the_gradient_in_micro_batches_is_that_of_the_whole_batch(mixing):
    config = replace(CONFIGS[1], epochs=1, batch_size=26, **mixing)  # one step
    whole, parts = new_state(config, DATA), new_state(config, DATA)
    short_of_memory(parts.model, 6)

    expected, got = (next(train(config, DATA, state)) for state in (whole, parts))

    assert (expected.micro_batch, got.micro_batch) == (26, 4)
    assert got.train_loss == pytest.approx(expected.train_loss, rel=1e-6)
    for (name, a), b in zip(whole.model.named_parameters(), parts.model.parameters(), strict=True):
        assert torch.allclose(a.grad, b.grad, rtol=1e-6, atol=1e-6), name


def test_gradients_of_parts_done_before_memory_ran_out_do_not_count_twice():
    config = replace(CONFIGS[1], epochs=1, batch_size=26)
    whole, parts = new_state(config, DATA), new_state(config, DATA)
    parts.micro_batch = 13
    calls = []

    def refuse_the_second(model, inputs):
        calls.append(len(inputs[0]))
        if len(calls) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory")

    parts.model.register_forward_pre_hook(refuse_the_second)
    for state in (whole, parts):
        next(train(config, DATA, state))

    assert calls[:6] == [13, 13, 7, 7, 6, 6]
    for (name, a), b in zip(whole.model.named_parameters(), parts.model.parameters(), strict=True):
        assert torch.allclose(a.grad, b.grad, rtol=1e-6, atol=1e-6), name


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.arch)
def test_a_batch_done_again_for_lack_of_memory_leaves_no_trace_of_the_first_pass(config):
    config = replace(config, epochs=1)
    again, from_the_start = new_state(config, DATA), new_state(config, DATA)
    short_of_memory(again.model, 4)
    from_the_start.micro_batch = 4

    histories = [without_seconds(train(config, DATA, state)) for state in (again, from_the_start)]

    assert histories[0] == histories[1]
    assert histories[0][0].micro_batch == 4
    for name, tensor in from_the_start.model.state_dict().items():  # batch norm's running statistics among them
        assert torch.equal(tensor, again.model.state_dict()[name]), name


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.arch)
def test_a_trial_in_micro_batches_stopped_and_continued_equals_an_unbroken_one_to_the_last_bit(config, tmp_path):
    config = replace(config, epochs=2)
    unbroken = new_state(config, DATA)
    short_of_memory(unbroken.model, 4)
    epochs = train(config, DATA, unbroken)
    next(epochs)
    path = save(unbroken, config, tmp_path)
    list(epochs)

    continued = load(path, config, DATA, "accuracy")  # with memory enough for whole batches
    list(train(config, DATA, continued))

    assert [metrics.micro_batch for metrics in continued.history] == [4, 4]
    assert without_seconds(continued.history) == without_seconds(unbroken.history)
    for name, tensor in unbroken.model.state_dict().items():
        assert torch.equal(tensor, continued.model.state_dict()[name]), name


def test_memory_short_only_in_the_backward_pass_halves_the_batch_too():
    state = new_state(CONFIGS[0], DATA)

    def refuse(layer, gradients):
        if len(gradients[0]) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")

    list(state.model.modules())[-1].register_full_backward_pre_hook(refuse)

    assert next(train(CONFIGS[0], DATA, state)).micro_batch == 4


def test_nothing_of_the_failed_pass_is_held_when_its_memory_is_given_back(monkeypatch):
    state, passed, held = new_state(CONFIGS[1], DATA), [], []
    state.model[0].register_forward_hook(lambda layer, inputs, output: passed.append(weakref.ref(output)))
    short_of_memory(state.model, 4)

    def empty_cache():
        held.append([passed[-1]() is not None, *(p.grad is not None for p in state.model.parameters())])

    monkeypatch.setattr(torch.cuda, "empty_cache", empty_cache)
    next(train(CONFIGS[1], DATA, state))

    assert len(held) == 1
    assert not any(held[0])


def test_memory_too_short_for_two_images_is_an_error():
    state = new_state(CONFIGS[0], DATA)
    short_of_memory(state.model, 1)

    with pytest.raises(torch.OutOfMemoryError):
        next(train(CONFIGS[0], DATA, state))


def test_predictions_go_in_smaller_batches_where_memory_is_short():
    config = CONFIGS[1]
    model = new_state(config, DATA).model
    images = on_device(DATA.valid.images, torch.device("cpu"))
    expected = predict_logits(config, model, images)
    sizes = []

    def refuse(layer, inputs):
        sizes.append(len(inputs[0]))
        if sizes[-1] > 300:
            raise torch.OutOfMemoryError("CUDA out of memory")

    model.register_forward_pre_hook(refuse)
    many = images.repeat(30, 1, 1, 1)  # 600

    assert np.allclose(predict_logits(config, model, many), np.tile(expected, (30, 1)), atol=1e-5)
    assert sizes == [600, 512, 256, 256, 88]


def test_the_command_line_says_where_memory_was_short(tmp_path, tiny_data, monkeypatch):
    real = state_module.new_state

    def new_state_short_of_memory(*arguments):
        state = real(*arguments)
        short_of_memory(state.model, 30)
        return state

    monkeypatch.setattr(state_module, "new_state", new_state_short_of_memory)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    config = replace(CONFIGS[1], epochs=1, batch_size=60)
    (tmp_path / "config.json").write_text(config.to_json())

    result = CliRunner().invoke(main, ["--config", str(tmp_path / "config.json"), "--data", str(tiny_data)])

    assert result.exit_code == 0
    assert "epoch 1/1" in result.stdout
    assert "micro-batches of 30, for lack of GPU memory" in result.stdout


def test_the_two_newest_checkpoints_are_kept(tmp_path):
    config = CONFIGS[1]
    state = new_state(config, DATA)
    for _ in train(config, DATA, state):
        save(state, config, tmp_path)

    assert [path.name for path in checkpoints(tmp_path)] == [
        "checkpoint-0004.safetensors",
        "checkpoint-0003.safetensors",
    ]


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """A checkpoint of a net with optimiser state, to be damaged."""
    config = replace(CONFIGS[1], epochs=2)
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
    monkeypatch.setattr("trainable.tensors.safe_open", no_memory)

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
    config = replace(CONFIGS[1], epochs=1)
    other = new_state(replace(config, head=8), DATA)
    list(train(config, DATA, other))
    path = save(other, config, tmp_path)

    with pytest.raises(CheckpointError, match=r"checkpoint-0001.*other weights"):
        load(path, config, DATA, "accuracy")


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"config": CONFIGS[0]}, "another config"),
        ({"metric": "loss"}, "another config"),
        ({"data": in_memory(valid=19)}, "other images"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_checkpoint_of_another_trial_is_an_error(content, tmp_path, changed, problem):
    path = tmp_path / "checkpoint-0002.safetensors"
    path.write_bytes(content)

    with pytest.raises(CheckpointError, match=problem):
        load(path, **{"config": replace(CONFIGS[1], epochs=2), "data": DATA, "metric": "accuracy"} | changed)


@pytest.mark.parametrize("name", ["optimizer.99.exp_avg", "optimizer.x.exp_avg", "optimizer.0.step"])
def test_optimizer_state_of_no_parameter_of_the_config_is_an_error(content, tmp_path, name):
    path = tmp_path / "checkpoint-0002.safetensors"
    path.write_bytes(content)
    metadata, mapped = read_tensors(path)
    tensors = {key: tensor.clone() for key, tensor in mapped.items()}
    tensors[name] = torch.zeros(7)
    save_tensors(path, tensors, metadata)

    with pytest.raises(CheckpointError, match=f"holds {name}"):
        load(path, replace(CONFIGS[1], epochs=2), DATA, "accuracy")
