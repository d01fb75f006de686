"""Training itself: same numbers from the same seed, across a restart too."""

import sys
import weakref
from dataclasses import replace

import albumentations as A
import numpy as np
import pytest
import torch
from click.testing import CliRunner

import sweep.trainable.state as state_module
from sweep.datasets.augment.pipeline import compose, per_image, to_text
from sweep.trainable.batch import Batch
from sweep.trainable.config import AUGMENTATIONS, TrialConfig
from sweep.trainable.images import on_device
from sweep.trainable.loop import Diverged, predict_logits, steps_per_epoch, train
from sweep.trainable.metrics import DEFAULT, measure, named
from sweep.trainable.saving import load, save
from sweep.trainable.state import new_state
from sweep.trainable.train import main
from tests.trials import in_memory

DATA = in_memory(train=26)
EVERYTHING = dict.fromkeys(AUGMENTATIONS, 0.5) | {"mixup": 0.3, "cutmix": 0.3, "label_smoothing": 0.1}
CONFIGS = [
    TrialConfig(arch="small_resnet", width=1.0, depth=1, epochs=4, seed=3, batch_size=8, **EVERYTHING),
    TrialConfig(arch="cnn", width=1.0, depth=2, head=16, epochs=4, seed=3, batch_size=8, optimizer="adamw", lr=0.01),
    TrialConfig(arch="small_vgg", width=0.25, epochs=4, seed=3, batch_size=8, optimizer="sgd", rotate=0.5),
    TrialConfig(arch="mobilenet_v3_small", pretrained=False, epochs=4, seed=3, batch_size=8, lr=1e-3),  # it has dropout
    TrialConfig(
        arch="small_resnet",
        width=1.0,
        depth=1,
        epochs=4,
        seed=3,
        batch_size=8,
        optimizer="adamw",
        schedule="cosine",
        lr=0.01,
        warmup=0.2,
        clip=0.5,
        ema=0.9,
        mixup=0.5,
    ),
    TrialConfig(
        arch="mlp",
        width=1.0,
        epochs=4,
        seed=3,
        batch_size=8,
        optimizer="adamw",
        lr=0.01,
        class_weights="sqrt_inverse",
        balanced=0.6,
        loss="focal",
        label_smoothing=0.1,
    ),
]

FLOAT32 = TrialConfig(arch="mlp", width=1.0, epochs=1, seed=3, batch_size=26, optimizer="adamw", lr=0.01)  # one step


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
    for name, tensor in unbroken.predictor.state_dict().items():
        assert torch.equal(tensor, continued.predictor.state_dict()[name]), name
    assert np.array_equal(np.stack(continued.valid_classes), np.stack(unbroken.valid_classes))
    assert np.array_equal(continued.best_logits, unbroken.best_logits)
    assert continued.best_epoch == unbroken.best_epoch


@pytest.mark.parametrize("optimizer", ["sgd", "nesterov", "adam", "adamw"])
def test_a_trial_imports_no_compiler(optimizer, tmp_path, monkeypatch):
    """It would take a worker 3 s, for nothing."""
    config = replace(CONFIGS[0], epochs=2, optimizer=optimizer)
    for module in ("torch._dynamo", "torch.fx.experimental.symbolic_shapes", "sympy"):
        monkeypatch.setitem(sys.modules, module, None)  # to import it is an error now
    state = new_state(config, DATA)

    next(train(config, DATA, state))
    continued = load(save(state, config, tmp_path), config, DATA, "accuracy")

    assert [metrics.epoch for metrics in train(config, DATA, continued)] == [2]


def in_graphs(monkeypatch, make):
    """Steps go as on a GPU, with a stand-in for a graph; that their kind can be one is known."""
    monkeypatch.setattr("sweep.trainable.step.has_graphs", lambda device: True)
    monkeypatch.setattr("sweep.trainable.probe.Graphed", make)
    monkeypatch.setattr("sweep.trainable.probe.known", lambda about, find: "")


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.arch)
def test_steps_of_a_graph_train_to_the_last_bit_as_those_without_one(config, monkeypatch):
    expected = list(train(config, DATA, new_state(config, DATA)))
    replayed = []
    in_graphs(monkeypatch, lambda step, *_: lambda chosen: replayed.append(len(chosen)) or step(chosen))
    history = list(train(config, DATA, new_state(config, DATA)))

    assert without_seconds(history) == without_seconds(expected)
    mixed = config.mixup + config.cutmix
    assert replayed == [8] * len(replayed)  # not the last batch of an epoch, of 2
    assert 0 < len(replayed) < 9 if mixed else len(replayed) == 4 * 3 - 3  # 3 go before the graph is made


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (torch.OutOfMemoryError, "the GPU's memory is too short for one"),
        (RuntimeError, "CUDA out of memory"),
    ],
)
def test_steps_of_which_no_graph_can_be_made_go_kernel_by_kernel(error, told, monkeypatch):
    expected = list(train(CONFIGS[0], DATA, new_state(CONFIGS[0], DATA)))
    refused = []

    def refuse(*_):
        refused.append(1)
        raise error("CUDA out of memory")

    in_graphs(monkeypatch, refuse)
    state = new_state(CONFIGS[0], DATA)
    history = list(train(CONFIGS[0], DATA, state))

    assert without_seconds(history) == without_seconds(expected)
    assert len(refused) == 1
    assert state.note.endswith(f"not as a CUDA graph: {told}")


def test_where_memory_is_short_beside_a_graph_it_is_given_up_and_the_batch_stays_whole(monkeypatch):
    config = CONFIGS[0]  # most of its batches are mixed, which a graph does not do
    expected = list(train(config, DATA, new_state(config, DATA)))
    replayed, is_replay, short = [], [], []

    def graphed(step, *_):
        def replay(chosen):
            assert not short, "the graph was given up"
            replayed.append(1)
            is_replay.append(1)
            loss = step(chosen)
            is_replay.clear()
            return loss

        return replay

    def refuse_once(model, inputs):
        if replayed and model.training and not is_replay and not short:
            short.append(1)
            raise torch.OutOfMemoryError("CUDA out of memory")

    in_graphs(monkeypatch, graphed)
    state = new_state(config, DATA)
    state.model.register_forward_pre_hook(refuse_once)
    history = list(train(config, DATA, state))

    assert short
    assert without_seconds(history) == without_seconds(expected)  # their size of a micro-batch too
    assert state.note.endswith("not as a CUDA graph: the GPU's memory is too short for one")


def test_a_pipeline_that_goes_image_by_image_is_no_graph(monkeypatch):
    in_graphs(monkeypatch, lambda *_: pytest.fail("a graph"))
    config = replace(FLOAT32, epochs=6, pipeline=to_text(A.Compose([A.Perspective(p=1.0)])))

    assert len(list(train(config, DATA, new_state(config, DATA)))) == 6


def test_what_goes_through_in_micro_batches_is_no_graph(monkeypatch):
    in_graphs(monkeypatch, lambda *_: pytest.fail("a graph"))
    state = new_state(CONFIGS[1], DATA)
    short_of_memory(state.model, 4)

    assert [metrics.micro_batch for metrics in train(CONFIGS[1], DATA, state)] == [4] * 4


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


def test_where_weights_are_averaged_their_mean_is_judged_and_kept():
    (config,) = (config for config in CONFIGS if config.ema)
    state = new_state(config, DATA)
    list(train(config, DATA, state))
    valid = on_device(DATA.valid.images, torch.device("cpu"))
    mean, last = predict_logits(config, state.predictor, valid), predict_logits(config, state.model, valid)

    state.model.load_state_dict(state.best_weights)

    assert not np.array_equal(mean, last)
    assert np.array_equal(mean.argmax(axis=1), state.valid_classes[-1])
    assert np.array_equal(predict_logits(config, state.model, valid), state.best_logits)


def test_clipped_gradients_are_no_longer_than_the_limit():
    config = replace(CONFIGS[-1], epochs=1)
    norms = {}
    for clip in (None, 0.5, 1e-3):
        state = new_state(config, DATA)
        list(train(replace(config, clip=clip), DATA, state))
        norms[clip] = torch.stack([parameter.grad.norm() for parameter in state.model.parameters()]).norm()

    assert norms[None] > 0.5
    assert norms[0.5] == pytest.approx(0.5, rel=1e-3)
    assert norms[1e-3] == pytest.approx(1e-3, rel=1e-2)


def test_images_that_are_not_square_train_without_being_transposed():
    images = {"train": DATA.train, "valid": DATA.valid}
    wide = {name: replace(split, images=split.images[:, :, :12]) for name, split in images.items()}
    config = replace(CONFIGS[0], epochs=1, transpose=1.0)

    assert len(list(train(config, replace(DATA, **wide), new_state(config, replace(DATA, **wide))))) == 1


def test_a_pipeline_of_ones_own_runs_image_by_image_where_it_must(monkeypatch):
    fast, slow = (A.Compose([A.HorizontalFlip(p=0.5), *rest]) for rest in ([], [A.Perspective(p=1.0)]))
    called = []
    monkeypatch.setattr("sweep.trainable.step.per_image", lambda *arguments: called.append(1) or per_image(*arguments))
    losses = {}
    for name, chosen in (("fast", fast), ("slow", slow), ("slow again", slow)):
        config = replace(FLOAT32, epochs=2, pipeline=to_text(chosen))
        losses[name] = [metrics.train_loss for metrics in train(config, DATA, new_state(config, DATA))]

    assert len(called) == 2 * 2  # one batch an epoch
    assert losses["slow"] == losses["slow again"] != losses["fast"]


def test_the_batched_form_of_a_pipeline_of_ones_own_is_that_of_its_probabilities():
    own = replace(FLOAT32, pipeline=to_text(compose({"vertical_flip": 0.5, "rotate": 0.3})))
    named = replace(FLOAT32, vertical_flip=0.5, rotate=0.3)

    losses = [next(train(config, DATA, new_state(config, DATA))).train_loss for config in (own, named)]

    assert losses[0] == losses[1]


def test_a_rate_that_is_far_too_high_diverges():
    config = TrialConfig(arch="mlp", width=1.0, optimizer="sgd", schedule="constant", lr=1e30, epochs=3, batch_size=8)

    with pytest.raises(Diverged, match="epoch 1"):
        list(train(config, DATA, new_state(config, DATA)))


def test_for_a_loss_the_best_epoch_is_the_smallest():
    config = replace(CONFIGS[1], epochs=3)
    state = new_state(config, DATA, metric="log_loss")
    history = list(train(config, DATA, state))

    losses = [metrics.valid_loss for metrics in history]
    assert state.best_epoch == 1 + losses.index(min(losses))


@pytest.mark.parametrize(("images", "steps"), [(16, 2), (17, 2), (18, 3), (5, 1)])
def test_a_last_batch_of_one_image_is_left_out(images, steps):
    assert steps_per_epoch(replace(CONFIGS[0], batch_size=8), images) == steps


def test_evaluation_gives_loss_and_accuracies():
    logits = np.log(np.array([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7]], dtype=np.float32))

    result = measure(np.array([0, 0, 0]), logits, named(DEFAULT))

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


@pytest.mark.parametrize(
    "mixing",
    [{}, {"mixup": 1.0}, {"cutmix": 1.0}, {"mixup": 1.0, "class_weights": "inverse", "loss": "logit_adjusted"}],
    ids=str,
)
def test_the_gradient_in_micro_batches_is_that_of_the_whole_batch(mixing):
    config = replace(FLOAT32, **mixing)
    whole, parts = new_state(config, DATA), new_state(config, DATA)
    short_of_memory(parts.model, 6)

    expected, got = (next(train(config, DATA, state)) for state in (whole, parts))

    assert (expected.micro_batch, got.micro_batch) == (26, 4)
    assert got.train_loss == pytest.approx(expected.train_loss, rel=1e-6)
    for (name, a), b in zip(whole.model.named_parameters(), parts.model.parameters(), strict=True):
        assert torch.allclose(a.grad, b.grad, rtol=1e-6, atol=1e-6), name


def test_gradients_of_parts_done_before_memory_ran_out_do_not_count_twice():
    whole, parts = new_state(FLOAT32, DATA), new_state(FLOAT32, DATA)
    parts.micro_batch = 13
    calls = []

    def refuse_the_second(model, inputs):
        calls.append(len(inputs[0]))
        if len(calls) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory")

    parts.model.register_forward_pre_hook(refuse_the_second)
    for state in (whole, parts):
        next(train(FLOAT32, DATA, state))

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
