import torch

from sweep.datasets.augment.pipeline import compose
from tests.datasets.augment.images import chi_square, on_both


@on_both
def test_the_six_orders_of_the_channels_are_equally_frequent(run):
    image = torch.tensor([1, 2, 4], dtype=torch.uint8).view(1, 3, 1, 1).expand(10_000, -1, 2, 2)
    orders, counts = run(compose({"channel_shuffle": 1}), image)[:, :, 0, 0].unique(dim=0, return_counts=True)
    assert len(orders) == 6
    assert chi_square(counts, torch.ones(6)) < 1
