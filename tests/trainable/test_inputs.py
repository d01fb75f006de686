"""Fine-tuning: frozen stages, whose output is kept where nothing but flips comes before it."""

import multiprocessing
from dataclasses import replace

import numpy as np
import pytest
import torch

from sweep.datasets.folds import folded
from sweep.datasets.pixels.dataset import Split
from sweep.trainable import inputs as inputs_module
from sweep.trainable.config import TrialConfig
from sweep.trainable.features import maps
from sweep.trainable.images import on_device
from sweep.trainable.inputs import inputs_of, prepare
from sweep.trainable.loop import Diverged, predict_logits, train
from sweep.trainable.models import frozen
from sweep.trainable.saving import load, save
from sweep.trainable.state import new_state
from tests.trials import in_memory

DATA = in_memory(train=26, side=32)
CONFIG = TrialConfig(
    arch="timm/test_efficientnet",
    pretrained=False,
    frozen_stages=2,
    horizontal_flip=0.5,
    mixup=0.3,
    cutmix=0.3,
    dropout=0.2,
    epochs=3,
    seed=3,
    batch_size=8,
    optimizer="adamw",
    lr=0.01,
    layer_decay=0.7,
    warmup=0.2,
    clip=0.5,
    ema=0.9,
)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def trained(config=CONFIG, data=DATA):
    state = new_state(config, data)
    list(train(config, data, state))
    return state


def assert_same(one, other):
    """Two trials ended alike to the last bit."""
    assert [replace(epoch, seconds=0) for epoch in one.history] == [
        replace(epoch, seconds=0) for epoch in other.history
    ]
    assert np.array_equal(one.best_logits, other.best_logits)
    for model, expected in ((one.model, other.model), (one.predictor, other.predictor)):
        for (name, tensor), its in zip(model.state_dict().items(), expected.state_dict().values(), strict=True):
            assert torch.equal(tensor, its), name


def test_a_trial_that_finds_the_maps_ends_as_one_that_computes_them(monkeypatch):
    computed = []
    real = maps.map_of
    monkeypatch.setattr(maps, "map_of", lambda *arguments: computed.append(len(arguments[-1])) or real(*arguments))
    first = trained()
    of_first = [images for images in computed if images > 1]  # one image shows the shape
    second = trained()

    assert of_first == [16, 10, 16, 10, 16, 4]  # the images, their mirror images, the validation images
    assert [images for images in computed if images > 1] == of_first
    assert_same(first, second)


def test_a_trial_that_continues_finds_the_maps_that_it_began_with(tmp_path, monkeypatch):
    state = new_state(CONFIG, DATA)
    next(train(CONFIG, DATA, state))
    path = save(state, CONFIG, tmp_path)
    computed = []
    real = maps.map_of
    monkeypatch.setattr(maps, "map_of", lambda *arguments: computed.append(len(arguments[-1])) or real(*arguments))

    continued = load(path, CONFIG, DATA, "accuracy")
    list(prepare(CONFIG, DATA, continued.model))
    list(train(CONFIG, DATA, continued))

    assert set(computed) == {1}  # one image shows the shape
    began = new_state(CONFIG, DATA).model.state_dict()
    changed = [name for name, tensor in continued.model.state_dict().items() if not torch.equal(tensor, began[name])]
    assert any("running_mean" in name for name in changed)


def test_a_trial_killed_and_continued_on_another_machine_ends_as_an_unbroken_one(tmp_path, monkeypatch):
    unbroken = trained()

    state = new_state(CONFIG, DATA)
    next(train(CONFIG, DATA, state))
    path = save(state, CONFIG, tmp_path)
    torch.manual_seed(12345)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another"))  # no maps are there
    continued = load(path, CONFIG, DATA, "accuracy")
    list(train(CONFIG, DATA, continued))

    assert_same(continued, unbroken)


def test_frozen_stages_stay_as_they_came_and_the_others_learn():
    before = new_state(CONFIG, DATA).model.state_dict()
    state = trained()
    names = frozen.names(state.model)

    assert {name.split(".")[1] for name in names} == {"conv_stem", "bn1", "blocks"}
    for name, tensor in state.model.state_dict().items():
        is_weight = name.endswith("weight") and name.startswith("1.")
        assert torch.equal(tensor, before[name]) or name not in names, name
        assert not is_weight or torch.equal(tensor, before[name]) == (name in names), name


@pytest.mark.parametrize(
    "other",
    [{"vertical_flip": 0.5}, {"trivial_augment": 0.5}, {"random_resized_crop": 0.5}],
    ids=lambda other: next(iter(other)),
)
def test_where_other_augmentations_come_first_the_frozen_stages_see_each_image_anew(other, cache):
    config = replace(CONFIG, **other)
    before = new_state(config, DATA).model.state_dict()

    state = trained(config)

    assert not inputs_of(config, DATA, state.model).are_maps
    assert not (cache / "sweep" / "features").exists()
    for name in frozen.names(state.model):  # the statistics of batch norm too
        assert torch.equal(state.model.state_dict()[name], before[name]), name


def test_maps_that_would_be_too_large_are_not_kept(monkeypatch, cache):
    monkeypatch.setattr(inputs_module, "MOST_BYTES", 1000)

    trained()

    assert not (cache / "sweep" / "features").exists()


def test_without_flips_and_mixing_maps_give_the_losses_of_the_images(monkeypatch):
    config = replace(CONFIG, horizontal_flip=0.0, mixup=0.0, cutmix=0.0, dropout=None, epochs=1, lr=1e-3)
    kept = trained(config)
    monkeypatch.setattr(inputs_module, "MOST_BYTES", 0)
    anew = trained(config)

    for one, other in zip(kept.history, anew.history, strict=True):
        assert one.train_loss == pytest.approx(other.train_loss, rel=1e-2)  # float16
        assert one.valid_loss == pytest.approx(other.valid_loss, rel=1e-2)


def test_the_kept_weights_predict_from_pixels_what_was_judged_from_maps():
    state = trained()
    frozen.load_own(state.model, state.best_weights)

    logits = predict_logits(CONFIG, state.model, on_device(DATA.valid.images, torch.device("cpu")))

    assert np.allclose(logits, state.best_logits, atol=1e-2)


def test_an_image_is_mirrored_as_often_as_its_probability_says():
    config = replace(CONFIG, horizontal_flip=0.25)
    found = inputs_of(config, DATA, new_state(config, DATA).model)
    order = torch.arange(26).repeat(400)

    rows = found.rows(order, torch.Generator().manual_seed(0))

    assert torch.equal(rows % 26, order)
    assert (rows >= 26).float().mean() == pytest.approx(0.25, abs=0.02)
    assert torch.equal(found.labels[rows], torch.from_numpy(DATA.train.labels)[order])
    plain, mirrored = (
        on_device(found.train[[3]], torch.device("cpu")),
        on_device(found.train[[29]], torch.device("cpu")),
    )
    assert not torch.equal(plain, mirrored)


@pytest.mark.parametrize("arch", ["timm/test_vit", "timm/test_convnext", "torchvision/mobilenet_v3_small"])
def test_other_kinds_of_nets_are_frozen_kept_and_continued(arch, tmp_path):
    config = replace(CONFIG, arch=arch, cutmix=0.0, epochs=2, dropout=None)
    unbroken = trained(config)
    assert inputs_of(config, DATA, unbroken.model).are_maps

    state = new_state(config, DATA)
    next(train(config, DATA, state))
    continued = load(save(state, config, tmp_path), config, DATA, "accuracy")
    list(train(config, DATA, continued))

    assert_same(continued, unbroken)


def test_more_frozen_stages_than_there_are_leave_the_classifier():
    state = trained(replace(CONFIG, frozen_stages=99, epochs=1))

    training = [name for name, parameter in state.model.named_parameters() if parameter.requires_grad]
    assert training == ["1.classifier.weight", "1.classifier.bias"]


def _train_in(queue):
    torch.set_num_threads(1)
    state = trained()
    queue.put((state.best_logits.tolist(), [epoch.train_loss for epoch in state.history]))


def test_two_workers_at_once_end_as_one_alone(cache):
    processes = multiprocessing.get_context("fork")
    queue = processes.Queue()
    workers = [processes.Process(target=_train_in, args=(queue,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    found = [queue.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()

    state = trained()

    assert found == [(state.best_logits.tolist(), [epoch.train_loss for epoch in state.history])] * 2


def short_of_memory(model, images):
    """From now on the last layer fails as CUDA does, in training with more images than these."""

    def refuse(layer, inputs):
        if layer.training and len(inputs[0]) > images:
            raise torch.OutOfMemoryError("CUDA out of memory")

    list(model.modules())[-1].register_forward_pre_hook(refuse)


def test_a_batch_done_again_for_lack_of_memory_is_clipped_and_averaged_once():
    config = replace(CONFIG, epochs=2)
    again, from_the_start = new_state(config, DATA), new_state(config, DATA)
    short_of_memory(again.model, 4)
    from_the_start.micro_batch = 4

    for state in (again, from_the_start):
        list(train(config, DATA, state))

    assert again.history[0].micro_batch == 4
    assert_same(again, from_the_start)


def test_a_rate_that_is_far_too_high_diverges():
    config = replace(CONFIG, optimizer="sgd", schedule="constant", lr=1e30, clip=None, warmup=None)

    with pytest.raises(Diverged, match="epoch 1"):
        trained(config)


def test_a_fold_learns_from_rows_of_the_maps_of_all_images_what_it_would_learn_of_its_own(cache):
    fold = folded(DATA, 3, 0).fold(2)
    train, valid = (Split((), np.array(split.images[:]), split.labels) for split in (fold.train, fold.valid))
    assert_same(trained(data=fold), trained(data=replace(fold, train=train, valid=valid)))
