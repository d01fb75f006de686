import albumentations as A
import cv2
import pytest
import torch

from sweep.datasets.augment import NAMES
from sweep.datasets.augment.batch_rows import take
from sweep.datasets.augment.batched import batched, unsupported
from sweep.datasets.augment.pipeline import compose
from tests.datasets.augment.images import noise, photos, run_batched, run_on_all

REFLECT = cv2.BORDER_REFLECT_101
ALL = dict.fromkeys(NAMES, 0.5)


@pytest.mark.parametrize(
    ("pipeline", "name"),
    [
        (A.Compose([A.HorizontalFlip(), A.Perspective()]), "Perspective("),
        (A.Compose([A.OneOf([A.HorizontalFlip(), A.VerticalFlip()])]), "OneOf("),
        (A.Compose([A.Rotate(border_mode=cv2.BORDER_CONSTANT)]), "Rotate("),
        (A.Compose([A.Rotate(border_mode=REFLECT, crop_border=True)]), "Rotate("),
        (A.Compose([A.GaussNoise(per_channel=False)]), "GaussNoise("),
        (A.Compose([A.Erasing(fill="random")]), "Erasing("),
        (A.Compose([A.HorizontalFlip()], p=0.5), "Compose(p=0.5)"),
    ],
    ids=lambda value: value.strip("(") if isinstance(value, str) else "",
)
def test_what_has_no_batched_form_is_named(pipeline, name):
    assert batched(pipeline) is None
    assert [found.startswith(name) for found in unsupported(pipeline)] == [True]


def test_everything_a_config_can_ask_for_has_a_batched_form():
    assert unsupported(compose(ALL)) == []


def test_images_that_cannot_be_augmented_are_refused():
    with pytest.raises(ValueError, match=r"images must be uint8, got torch\.float32"):
        run_batched(compose({}), photos(1).float())
    with pytest.raises(ValueError, match="transpose needs square images, got 12x20"):
        run_batched(compose({"transpose": 1}), photos(1, 12, 20))


def test_on_all_images_nothing_waits_for_a_gpu(monkeypatch):
    def refuse(*_):
        raise AssertionError("the host would wait for the GPU")

    for name in ("nonzero", "item", "tolist", "__bool__", "__int__", "__float__", "__index__"):
        monkeypatch.setattr(torch.Tensor, name, refuse)
    monkeypatch.setattr(torch, "tensor", refuse)  # a copy from the host
    images = noise(20)
    assert run_on_all(compose(ALL), images).shape == images.shape
    with pytest.raises(AssertionError, match="would wait"):
        run_batched(compose(ALL), images)


@pytest.mark.parametrize("size", [(16, 16), (2, 2), (2, 1), (5, 5)], ids=["8", "4", "2", "1"])  # the widest integer
def test_images_are_taken_as_by_indexing(size):
    images = noise(20, *size)[1:]
    index = torch.tensor([3, 0, 18, 3])
    assert torch.equal(take(images, index), images[index])
    assert take(images, index[:0]).shape == (0, 3, *size)
    pipeline = compose({"channel_shuffle": 0.5})
    assert set(map(bytes, run_batched(pipeline, images).sort(1)[0].numpy())) == set(
        map(bytes, images.sort(1)[0].numpy())
    )
