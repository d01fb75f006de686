"""What goes to a GPU is waited for by the GPU alone; a stand-in for CUDA's streams notes who waits for what."""

from contextlib import contextmanager
from itertools import count

import numpy as np
import pytest
import torch

from sweep.trainable import images as trainable_images_module
from sweep.trainable.images import ahead, together
from sweep.trainable.upload import way_to
from tests.trials import in_memory

IMAGES = in_memory(train=26).train.images
GPU = torch.device("cuda")


class Stream:
    """Numbers its events by the copies that were begun on it before."""

    def __init__(self, device=None):
        self.numbers, self.waited_for = count(1), []

    def record_event(self):
        return self, next(self.numbers)

    def wait_event(self, event):
        self.waited_for.append(event)


@pytest.fixture
def using(monkeypatch):
    """The stream on which the images are used."""
    stream, on, empty = Stream(), [], torch.empty
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: stream)

    @contextmanager
    def entered(stream):
        on.append(stream)
        yield

    monkeypatch.setattr(torch.cuda, "stream", entered)
    monkeypatch.setattr(torch, "empty", lambda shape, dtype, device=None, pin_memory=False: empty(shape, dtype=dtype))
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda batch, stream: stream.waited_for.append("kept"))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    monkeypatch.setattr(trainable_images_module, "PIECE_BYTES", 4 * IMAGES[0].nbytes)
    way_to.cache_clear()
    yield stream
    way_to.cache_clear()


def test_a_batch_is_used_after_each_of_its_parts_and_kept_until_then(using):
    chosen = [np.arange(26)[::-1], np.array([4, 2]), np.arange(9)]

    for rows, parts in zip(chosen, (3, 1, 2), strict=True):
        using.waited_for.clear()
        batch = together(IMAGES, rows, GPU)

        *events, kept = using.waited_for
        assert kept == "kept"
        assert len({number for _, number in events}) == parts
        assert using not in {stream for stream, _ in events}
        np.testing.assert_array_equal(batch.numpy(), IMAGES[rows])


def test_every_part_of_an_epoch_is_waited_for_once(using):
    batches = list(ahead(IMAGES, [np.arange(12)] * 5, GPU))

    events = [event for event in using.waited_for if event != "kept"]
    assert len(batches) == 5
    assert len(events) == len(set(events)) == 15


def test_every_epoch_goes_by_the_same_stream_whose_memory_is_used_again(using):
    together(IMAGES, np.arange(3), GPU)
    together(IMAGES, np.arange(3), GPU)

    (first, _), _, (second, _), _ = using.waited_for
    assert first is second
