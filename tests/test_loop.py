"""Training itself: same numbers from the same seed, across a restart too."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.trials import in_memory
from trainable.attempt import Attempt, Order
from trainable.config import AUGMENTATIONS, TrialConfig
from trainable.loop import Diverged, evaluate, on_device, predict_logits, steps_per_epoch, train
from trainable.state import CheckpointError, checkpoints, load, new_state, save

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


@pytest.fixture
def two_checkpoints(tmp_path):
    config = CONFIGS[1]
    state = new_state(config, DATA)
    for _ in train(config, DATA, state):
        save(state, config, tmp_path / "attempt-1")
    return config, tmp_path


def test_the_two_newest_checkpoints_are_kept(two_checkpoints):
    _, folder = two_checkpoints

    assert [path.name for path in checkpoints(folder / "attempt-1")] == [
        "checkpoint-0004.safetensors",
        "checkpoint-0003.safetensors",
    ]


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.99, 1.0])
def test_a_damaged_checkpoint_is_an_error_that_names_it(two_checkpoints, share):
    config, folder = two_checkpoints
    path = checkpoints(folder / "attempt-1")[0]
    content = bytearray(path.read_bytes())
    if share < 1:
        path.write_bytes(content[: int(share * len(content))])
    else:
        content[-1] ^= 1
        path.write_bytes(content)

    with pytest.raises(CheckpointError, match="checkpoint-0004"):
        load(path, config, DATA, "accuracy")


def test_an_attempt_goes_on_from_the_checkpoint_before_a_damaged_one(two_checkpoints):
    config, folder = two_checkpoints
    newest = checkpoints(folder / "attempt-1")[0]
    newest.write_bytes(newest.read_bytes()[:1000])

    started_at = []

    def spying_train(config, data, state):
        started_at.append(state.epochs_done)
        return train(config, data, state)

    report = Attempt(Order(0, 2, config, folder, "accuracy"), DATA, train=spying_train).next_report()

    assert started_at == [3]
    assert report["done"]
    assert [epoch["epoch"] for epoch in report["history"]] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError("no more"), "out of memory"),
        (torch.OutOfMemoryError("CUDA"), "out of memory"),
        (ValueError("bug"), "error"),
        (Diverged("epoch 1"), "diverged"),
    ],
)
def test_a_failure_is_a_report_with_its_reason(tmp_path, error, reason):
    def failing(config, data, state):
        raise error
        yield

    report = Attempt(Order(0, 1, CONFIGS[1], tmp_path, "accuracy"), DATA, train=failing).next_report()

    assert report["done"]
    assert report["failure"]["reason"] == reason
    assert (tmp_path / "attempt-1" / "result.json").exists()
