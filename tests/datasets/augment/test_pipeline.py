import json
import os
import subprocess
import sys

import albumentations as A
import pytest
import torch

from sweep.datasets.augment import NAMES
from sweep.datasets.augment.batched import batched, unsupported
from sweep.datasets.augment.pipeline import compose, from_text, per_image, to_text
from sweep.datasets.augment.shift import Shift
from sweep.storage import user_code
from sweep.storage.errors import UserError
from tests.datasets.augment.images import on_all_three, photos, run_batched

ALL = dict.fromkeys(NAMES, 0.5)


def test_albumentations_asks_no_package_index_wherever_a_config_is_known():
    code = "import os, trainable.config; print(os.environ['NO_ALBUMENTATIONS_UPDATE'])"
    environment = {name: value for name, value in os.environ.items() if name != "NO_ALBUMENTATIONS_UPDATE"}

    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    assert done.stdout == "1\n"


def test_transforms_run_in_the_order_given_with_their_probabilities():
    pipeline = compose({"rotate": 0.7, "cutout": 0.2, "horizontal_flip": 0.5})
    assert [(type(t), t.p) for t in pipeline] == [(A.Rotate, 0.7), (A.Erasing, 0.2), (A.HorizontalFlip, 0.5)]


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown augmentation `flip`; known: random_resized_crop, horizontal_flip"):
        compose({"flip": 0.5})


@on_all_three
def test_an_empty_pipeline_changes_nothing(run):
    assert torch.equal(run(compose({}), photos(4), 0), photos(4))


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        (A.Resize(8, 12), r"must leave images \(16, 16, 3\) uint8, height x width x 3; got \(8, 12, 3\) uint8"),
        (A.ToFloat(), r"got \(16, 16, 3\) float32"),
    ],
)
def test_a_pipeline_that_changes_size_or_type_of_the_images_is_refused(transform, message):
    with pytest.raises(ValueError, match=message):
        per_image(A.Compose([transform]), photos(2), 0)


WRITTEN = [
    compose(ALL),
    A.Compose([A.OneOf([A.Blur(p=0.3), A.SafeRotate(limit=20), A.Affine(scale=(0.8, 1))], p=0.9), Shift(p=0.4)], p=0.7),
]


@pytest.mark.parametrize("pipeline", WRITTEN, ids=["batched", "per image"])
def test_a_pipeline_read_back_from_its_text_does_the_same(pipeline):
    text = to_text(pipeline)
    read = from_text(text)
    assert to_text(read) == text
    assert "\n" not in text
    assert A.__version__ not in text
    assert str(read) == str(from_text(json.dumps(A.to_dict(pipeline), indent=2)))  # what A.save writes
    assert (batched(read) is None) == (batched(pipeline) is None)
    assert torch.equal(per_image(read, photos(20), 0), per_image(pipeline, photos(20), 0))
    if batched(pipeline):
        assert torch.equal(run_batched(read, photos(20)), run_batched(pipeline, photos(20)))


def one(name: str, /, **arguments: object) -> str:
    transforms = [{"__class_fullname__": name, **arguments}]
    return json.dumps({"transform": {"__class_fullname__": "Compose", "transforms": transforms}})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "the pipeline is not JSON: "),
        ("[" * 100_000, "the pipeline is nested too deeply"),
        ("[1]", r"a transform must be an object with `__class_fullname__`, got \[1\]"),
        ('{"transform": {"__class_fullname__": "HorizontalFlip"}}', "the outermost transform must be Compose, got Hor"),
        (
            one("Flop"),
            "unknown transform `Flop`: it must be datasets.augment.RandomResizedCrop, datasets.augment.Shift, ",
        ),
        (one("os.system"), "unknown transform `os.system`"),
        (one("cv2"), "unknown transform `cv2`"),
        (one("Lambda", name="f"), "unknown transform `Lambda`"),
        (one("ImageOnlyTransform"), "unknown transform `ImageOnlyTransform`"),
        (one("Rotate", limits=10), "Rotate has no argument `limits`; it has: limit, interpolation"),
        (one("Rotate", limit="far"), "Rotate: .*valid number"),
        (one("GaussNoise", std_range=[0.1, 7]), "GaussNoise: .*std_range"),
        (one("Resize", height=8), "Resize: .*width Field required"),
        (one("Rotate", p=1.5), "Rotate: `0 <= p <= 1` must hold, got p=1.5"),
        (one("Rotate", p=float("nan")), "NaN is no number"),
        (one("OneOf", transforms=3), "OneOf: `transforms` must be a list, got 3"),
        (
            one("datasets.augment.Shift", fraction=1),
            "datasets.augment.Shift: `0 <= fraction < 1` must hold, got fract",
        ),
    ],
    ids=lambda value: value[:12] if value[0] not in "[{" else "",
)
def test_a_text_that_is_no_pipeline_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        from_text(text)


class Own(A.NoOp):
    pass


def unchanged(image, **_):
    return image


@pytest.mark.parametrize("transform", [Own(), A.Lambda(image=unchanged, name="f"), A.FDA()])
def test_a_pipeline_that_could_not_be_read_back_is_not_written(transform):
    with pytest.raises(ValueError, match=r"unknown transform `\S*(Own|Lambda)`|cannot be written as text: FDA"):
        to_text(A.Compose([transform]))


OWN = """
import albumentations as A


class Invert(A.ImageOnlyTransform):
    def __init__(self, most=255, p=0.5):
        super().__init__(p=p)
        self.most = most

    def apply(self, img, **params):
        return self.most - img


nothing = A.NoOp()
"""


@pytest.fixture
def own_file(tmp_path, monkeypatch):
    """A file with a transform, in a process whose command has named none yet."""
    monkeypatch.setattr(user_code, "_files", {})
    file = tmp_path / "mine.py"
    file.write_text(OWN)
    return file


def test_a_class_of_a_file_that_the_command_named_is_written_and_read_by_that_name(own_file):
    reference = user_code.name(f"{own_file}:Invert", "--code")
    invert = user_code.get(reference)

    text = to_text(A.Compose([A.OneOf([invert(most=250, p=0.3), A.Blur()]), invert(p=1)]))

    read = from_text(text)
    assert reference in text
    assert [type(read[0][0]), type(read[1])] == [invert, invert]
    assert (read[0][0].most, read[0][0].p) == (250, 0.3)
    assert to_text(read) == text


def test_a_class_of_the_users_runs_image_by_image(own_file):
    invert = user_code.get(user_code.name(f"{own_file}:Invert", "--code"))
    pipeline = from_text(to_text(A.Compose([invert(p=1)])))

    assert batched(pipeline) is None
    assert len(unsupported(pipeline)) == 1
    assert torch.equal(per_image(pipeline, photos(4), 0), 255 - photos(4))


def test_a_class_of_a_file_that_no_command_named_does_not_run(own_file):
    own_file.write_text("raise RuntimeError('it ran')")
    with pytest.raises(UserError, match=r"runs only where the command names it; add --code .*mine\.py:Invert"):
        from_text(one(f"{own_file}:Invert"))


def test_what_is_no_transform_in_a_file_of_the_users_is_refused(own_file):
    reference = user_code.name(f"{own_file}:nothing", "--code")
    with pytest.raises(ValueError, match=r"unknown transform `\S*mine\.py:nothing`"):
        from_text(one(reference))


def test_a_worker_makes_the_class_from_the_source_that_it_is_handed(own_file, monkeypatch):
    invert = user_code.get(user_code.name(f"{own_file}:Invert", "--code"))
    text, sources = to_text(A.Compose([invert(p=1)])), user_code.sources()
    own_file.unlink()
    monkeypatch.setattr(user_code, "_files", {})

    user_code.remember(sources)

    assert torch.equal(per_image(from_text(text), photos(4), 0), 255 - photos(4))
