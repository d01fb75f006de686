import albumentations as A
import cv2
import pytest
import torch

from sweep.datasets.augment import random_resized_crop
from sweep.datasets.augment.batched import batched, unsupported
from sweep.datasets.augment.pipeline import compose, per_image
from sweep.datasets.augment.random_resized_crop import RandomResizedCrop
from tests.datasets.augment.images import assert_as_albumentations, chi_square, generator, on_all_three, photos


@pytest.mark.parametrize("size", [(16, 16), (12, 20), (20, 8)], ids=["square", "wide", "tall"])
def test_of_the_whole_image_nothing_changes_and_a_shape_that_never_fits_is_cut_from_the_middle(size):
    whole = RandomResizedCrop(scale=(1, 1), ratio=(size[1] / size[0],) * 2)
    assert torch.equal(per_image(A.Compose([whole]), photos(4, *size), 0), photos(4, *size))
    assert_as_albumentations(whole, 0, 0, *size)
    for ratio in (4.0, 0.25):
        assert_as_albumentations(RandomResizedCrop(scale=(1, 1), ratio=(ratio, ratio)), 1, 0.3, *size)


@on_all_three
def test_every_place_of_the_part_is_as_likely(run):
    ramp = torch.arange(16, dtype=torch.uint8).mul(16).view(1, 1, 1, 16).expand(6000, 3, 16, 16).contiguous()
    quarter = A.Compose([RandomResizedCrop(scale=(0.25, 0.25), ratio=(1, 1), p=1)])

    left = run(quarter, ramp, 0)[:, 0, 0, 0].long() // 16

    assert chi_square(left.bincount(minlength=9), torch.ones(9)) < 1


@pytest.mark.parametrize("size", [(64, 64), (80, 120)], ids=["square", "wide"])
def test_large_images_enlarged_one_by_one_are_those_of_grid_sample_within_a_grey_level(size, monkeypatch):
    crop, images = A.Compose([RandomResizedCrop(scale=(0.1, 1))]), photos(40, *size)

    one_by_one = batched(crop)(images, generator())
    monkeypatch.setattr(random_resized_crop, "ONE_BY_ONE_PIXELS", 10**9)
    difference = (one_by_one.int() - batched(crop)(images, generator()).int()).abs()

    assert difference.max() <= 1
    assert (difference > 0).float().mean() < 0.2


def test_large_images_enlarged_one_by_one_are_those_of_albumentations():
    for ratio in (4.0, 0.25):
        assert_as_albumentations(RandomResizedCrop(scale=(1, 1), ratio=(ratio, ratio)), 1, 0.2, 64, 80)


@pytest.mark.parametrize("probability", [0.5, 1.0], ids=["some", "all"])
def test_large_images_are_the_same_however_many_threads_enlarge_them(probability, monkeypatch):
    crop, images, found = compose({"random_resized_crop": probability}), photos(7, 72, 64), []

    for threads in (1, 2, 5, 16):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        found.append(batched(crop)(images, generator()))

    assert all(torch.equal(each, found[0]) for each in found)
    assert not torch.equal(found[0], images)


@on_all_three
def test_a_part_never_shows_what_is_beside_it(run):
    board = torch.zeros(500, 3, 16, 16, dtype=torch.uint8)
    board[:, :, :, 8:] = 255
    half = A.Compose([RandomResizedCrop(scale=(0.25, 0.25), ratio=(1, 1), p=1)])

    levels = run(half, board, 0)[:, 0, 0]

    pure = levels[(levels[:, 0] == levels[:, -1])]
    assert len(pure) > 0
    assert ((pure == 0) | (pure == 255)).all()


def test_that_of_albumentations_runs_on_whole_batches_where_it_keeps_the_size():
    crop = A.Compose([A.RandomResizedCrop(size=(16, 16), scale=(1, 1), ratio=(1, 1), p=1)])

    assert torch.equal(batched(crop)(photos(4), generator()), photos(4))
    with pytest.raises(ValueError, match=r"RandomResizedCrop must leave images 8x8, got size=\(16, 16\)"):
        batched(crop)(photos(4, 8, 8), generator())
    cubic = A.Compose([A.RandomResizedCrop(size=(16, 16), interpolation=cv2.INTER_CUBIC)])
    assert [name.partition("(")[0] for name in unsupported(cubic)] == ["RandomResizedCrop"]


@pytest.mark.parametrize("arguments", [{"scale": (0, 1)}, {"scale": (0.5, 1.5)}, {"ratio": (2, 1)}, {"ratio": (0, 1)}])
def test_shares_and_ratios_that_make_no_sense_are_refused(arguments):
    with pytest.raises(ValueError, match="must hold"):
        RandomResizedCrop(**arguments)


def test_a_config_asks_for_it_on_images_that_are_not_square_too():
    wide = photos(8, 12, 20)
    changed = batched(compose({"random_resized_crop": 1}, square=False))(wide, generator())
    assert changed.shape == wide.shape
    assert not torch.equal(changed, wide)
