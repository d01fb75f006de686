"""What is measured of waiting for images names places in the code, which must be there."""

import pytest

from benchmarks import waiting
from sweep.trainable.config import TrialConfig
from tests.trainable.test_images import on_disk

NET = TrialConfig(arch="small_resnet", width=1.0, depth=1, batch_size=8, epochs=waiting.ROUNDS + 1)


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch):
    data = on_disk(tmp_path)
    monkeypatch.setattr(waiting, "data_of", lambda folder, side, kept: data)
    monkeypatch.setattr(waiting, "NETS", dict.fromkeys(waiting.NETS, (NET, 16, 16)))


def test_the_time_of_an_image_is_parted_among_all_that_is_done_to_it(tmp_path):
    shares = waiting.shares_at_224_px(tmp_path)

    assert set(shares) == {"mapped", "jpeg"}
    for each in shares.values():
        assert set(each) == {"read", "decode", "crop and flip", "forward and backward", "optimizer", "all else"}
        assert each.pop("decode") == 0  # these lie there as they are
        assert min(each.values()) > 0


def test_each_net_and_form_is_beside_the_net_on_a_ready_batch(tmp_path):
    found = waiting.beside_ready_batch(tmp_path)

    assert set(found) == {"frozen", "tuned"}
    for by_form in found.values():
        assert set(by_form) == {"mapped", "jpeg"}
        assert all(len(paces) == waiting.ROUNDS for paces in by_form.values())
