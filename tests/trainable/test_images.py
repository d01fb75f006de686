"""Images are trained on a batch at a time, with the numbers that they have all at once."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from sweep.analysis.estimates.views import log_probabilities
from sweep.datasets.pixels.rows import ChosenPixels, JoinedPixels, joined, read_into
from sweep.trainable import images as trainable_images_module
from sweep.trainable.config import TrialConfig
from sweep.trainable.images import ahead, parts
from sweep.trainable.loop import train
from sweep.trainable.state import new_state
from sweep.trainable.step import Step
from sweep.trainable.upload import HostBatches
from tests.datasets.pixels.test_stored import stored
from tests.trials import in_memory

CPU = torch.device("cpu")
DATA = in_memory(train=26)
CONFIG = TrialConfig(
    arch="small_resnet", width=1.0, depth=1, epochs=2, batch_size=8, horizontal_flip=0.5, cutout=0.5, mixup=0.5, seed=3
)


def on_disk(folder, data=DATA):
    """The same data set with its pixels in a file."""

    def split(name, part):
        (folder / name).mkdir()
        return replace(part, images=stored(folder / name, images=part.images.transpose(0, 2, 3, 1)))

    return replace(data, train=split("train", data.train), valid=split("valid", data.valid))


def trained(config, data):
    state = new_state(config, data)
    metrics = [replace(epoch, seconds=0.0) for epoch in train(config, data, state)]
    return metrics, state


@pytest.mark.parametrize("batch_size", [8, 25, 64], ids=["a last batch of 2", "a last image alone", "one batch"])
def test_a_trial_has_the_same_numbers_wherever_its_images_are(tmp_path, batch_size):
    config = replace(CONFIG, batch_size=batch_size)

    expected, in_array = trained(config, DATA)
    found, in_file = trained(config, on_disk(tmp_path))

    assert found == expected
    for name, weights in in_array.model.state_dict().items():
        assert torch.equal(weights, in_file.model.state_dict()[name]), name


def test_train_and_validation_joined_train_as_one_array(tmp_path):
    there = on_disk(tmp_path)

    def both(data):
        labels = np.concatenate([data.train.labels, data.valid.labels])
        return replace(
            data, train=replace(data.train, images=joined(data.train.images, data.valid.images), labels=labels)
        )

    assert isinstance(both(there).train.images, JoinedPixels)
    assert trained(CONFIG, both(there))[0] == trained(CONFIG, both(DATA))[0]


def test_averaged_predictions_are_the_same(tmp_path):
    _, state = trained(CONFIG, DATA)

    found = log_probabilities(CONFIG, state.model, on_disk(tmp_path).valid.images, is_averaged=True)

    np.testing.assert_array_equal(found, log_probabilities(CONFIG, state.model, DATA.valid.images, is_averaged=True))


def test_images_come_in_the_order_that_was_asked_for(tmp_path):
    images = on_disk(tmp_path).train.images
    chosen = [np.array([3, 1]), np.array([25]), np.arange(26)[::-1]]

    batches = list(ahead(images, chosen, CPU))

    for batch, rows in zip(batches, chosen, strict=True):
        np.testing.assert_array_equal(batch.numpy(), DATA.train.images[rows])


@pytest.mark.parametrize("size", [1, 7, 20, 100])
def test_all_images_come_in_parts_of_a_size(tmp_path, size):
    from_file = list(parts(on_disk(tmp_path).valid.images, size, CPU))
    from_tensor = list(parts(torch.from_numpy(DATA.valid.images), size, CPU))

    assert [len(part) for part in from_file] == [len(part) for part in from_tensor]
    assert torch.equal(torch.cat(from_file), torch.cat(from_tensor))


def test_whoever_stops_amid_the_batches_leaves_no_thread_behind(tmp_path):
    batches = ahead(on_disk(tmp_path).train.images, [np.arange(3)] * 50, CPU)
    next(batches)

    batches.close()

    with pytest.raises(StopIteration):
        next(batches)


def test_an_error_of_the_file_is_raised_where_the_batch_is_taken(tmp_path):
    data = on_disk(tmp_path)
    data.train.images.path.write_bytes(b"")
    state = new_state(CONFIG, data)

    with pytest.raises(ValueError, match=r"key.pixels: has no .* bytes at"):
        next(train(CONFIG, data, state))


def test_each_batch_is_read_by_several_threads_and_given_when_all_of_it_is_there(tmp_path, monkeypatch):
    """The stand-in for a GPU hands out a batch as the GPU would: by what it was told of its parts."""

    class Device(HostBatches):
        def fill(self, part, read):
            super().fill(part, read)
            return len(part)

        def arrived(self, batch, filled):
            given.append(filled)
            return super().arrived(batch, filled)

    given: list[list[int]] = []
    monkeypatch.setattr(trainable_images_module, "way_to", Device)
    monkeypatch.setattr(trainable_images_module, "PIECE_BYTES", 5 * DATA.train.images[0].nbytes)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    chosen = [np.arange(26)[::-1], np.array([7]), np.arange(13), np.empty(0, np.int64)]

    batches = list(ahead(on_disk(tmp_path).train.images, chosen, CPU))

    assert given == [[6, 7, 6, 7], [1], [6, 7], [0]]
    for batch, rows in zip(batches, chosen, strict=True):
        np.testing.assert_array_equal(batch.numpy(), DATA.train.images[rows])


@pytest.mark.parametrize("kind", ["array", "file", "both", "rows of a file"])
def test_rows_are_read_into_an_array_as_they_are_taken(tmp_path, kind):
    array, file = DATA.train.images, on_disk(tmp_path).train.images
    images = {
        "array": array,
        "file": file,
        "both": joined(file, array),
        "rows of a file": ChosenPixels(file, np.arange(26)[::-2]),
    }[kind]
    rows = np.array([3, 0, 3, len(images) - 1])
    pixels = np.zeros((4, *images.shape[1:]), np.uint8)

    read_into(pixels, images, rows)

    np.testing.assert_array_equal(pixels, images[rows])


def test_a_trial_sees_the_same_images_in_every_epoch_however_many_threads_read_and_crop_them(tmp_path, monkeypatch):
    seen: dict[int, list[torch.Tensor]] = {1: [], 3: [], 8: []}
    data = on_disk(tmp_path, in_memory(train=13, valid=2, side=64))
    config = replace(CONFIG, mixup=0.0, random_resized_crop=0.7)
    monkeypatch.setattr(trainable_images_module, "PIECE_BYTES", 1)
    make_batch = Step._batch

    for threads, images in seen.items():

        def noted(step, chosen, images=images):
            batch = make_batch(step, chosen)
            images.append(batch.images)
            return batch

        monkeypatch.setattr(Step, "_batch", noted)
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        trained(config, data)

    assert [len(images) for images in seen.values()] == [4, 4, 4]
    for first, second, third in zip(*seen.values(), strict=True):
        assert torch.equal(first, second)
        assert torch.equal(first, third)
