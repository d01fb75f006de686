import torch

from sweep.datasets.augment.pipeline import compose
from tests.datasets.augment.images import chi_square, on_both


@on_both
def test_cutout_is_a_square_of_a_sixteenth_to_a_quarter_of_the_area_anywhere(run):
    out = run(compose({"cutout": 1}), torch.zeros(10_000, 3, 16, 16, dtype=torch.uint8))
    filled = (out == 128).all(1)
    rows, columns = filled.any(2), filled.any(1)
    side = rows.sum(1)
    assert torch.equal(out.any(1), filled)
    assert torch.equal(columns.sum(1), side)
    assert torch.equal(filled.flatten(1).sum(1), side**2)
    # A side of k is what the roots from k - 1/2 to k + 1/2 are rounded to; the area is uniform from 16 to 64.
    edges = torch.tensor([4, 4.5, 5.5, 6.5, 7.5, 8]) ** 2
    shares = torch.zeros(9, 16)
    for k, share in zip(range(4, 9), edges.diff(), strict=True):
        shares[k, : 17 - k] = share / (17 - k)
    for inside in (rows, columns):
        counts = (side * 16 + inside.int().argmax(1)).bincount(minlength=144)
        assert counts[shares.flatten() == 0].sum() == 0
        assert chi_square(counts[shares.flatten() > 0], shares[shares > 0]) < 1
