"""What several tests share."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that last longest come first, those that start Ray and then those of the whole project.

    Whichever process is free takes the next file.
    """
    with_ray = {item.path for item in items if item.get_closest_marker("ray")}
    items.sort(key=lambda item: (item.path not in with_ray, "whole" not in item.path.parts))


@pytest.fixture(autouse=True, scope="session")
def cache_of_their_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The data sets of tests do not belong into the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """On small nets and shared cores torch's threads cost more than they bring, a hundred times more."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="module")
def without_figures(request: pytest.FixtureRequest) -> Iterator[None]:
    """The PNGs of a report take most of the time of a small sweep; they are drawn where tests are about them."""
    with pytest.MonkeyPatch.context() as patch:
        if not request.node.get_closest_marker("figures"):
            for name in ("render", "render_pictures"):
                patch.setattr(f"sweep.analysis.report.page.{name}", lambda _: b"")
        yield


@pytest.fixture(autouse=True, scope="module")
def nets_from_scratch(request: pytest.FixtureRequest) -> Iterator[None]:
    """Searches find no pretrained net, which takes seconds to build, unless the tests are about them."""
    with pytest.MonkeyPatch.context() as patch:
        if not request.node.get_closest_marker("pretrained"):
            patch.setattr("sweep.search.spaces.proposal.all_at_hand", list)
        yield


TINY = {"train": 60, "validation": 30, "test": 10}  # images


@pytest.fixture
def tiny_data(tmp_path: Path) -> Path:
    """A folder in layout 1: 16x16 PNGs of three classes that any net tells apart in an epoch or two by their colour."""
    folder, rng = tmp_path / "tiny", np.random.default_rng(0)
    for split, count in TINY.items():
        images = folder / ("test" if split == "test" else "train+validation")
        images.mkdir(parents=True, exist_ok=True)
        rows = []
        for number in range(count):
            name, label = f"{split}{number:02}.png", number % 3
            pixels = rng.integers(0, 90, (16, 16, 3), dtype=np.uint8)
            pixels[..., 2 - label] += 150  # OpenCV writes BGR: class 0 is red
            (images / name).write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
            rows.append(name if split == "test" else f"{name},{label}")
        header = "id" if split == "test" else "id,label"
        (folder / f"{split}.txt").write_text("\n".join([header, *rows]) + "\n")
    ids = [f"test{number:02}.png,0" for number in range(TINY["test"])]
    (folder / "sample_submission.txt").write_text("\n".join(["id,label", *ids]) + "\n")
    return folder
