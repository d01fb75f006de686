"""What nets take of memory, and that none is drawn which a worker's memory cannot hold."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sweep.analysis.record import Record
from sweep.search import run as search_run_module
from sweep.search.ray.cluster import Node, Workers, worker_bytes
from sweep.search.runtime.memory import MemoryLimit, check_nets
from sweep.search.samplers import NAMES
from sweep.search.spaces.space import Space
from sweep.storage.errors import UserError
from sweep.trainable import size
from sweep.trainable.config import ConfigError, TrialConfig
from sweep.trainable.features import store
from sweep.trainable.models.net import build
from sweep.trainable.size import Size, size_of
from tests.searched import command, here
from tests.trials import execute, fake_train, in_memory, open_bridge, outcome

ROOT = Path(__file__).resolve().parents[3]
DATA = in_memory()
NETS = (
    TrialConfig(arch="mlp", width=2.0),
    TrialConfig(arch="cnn", width=1.5, depth=3, head=64),
    TrialConfig(arch="small_vgg", width=0.5),
    TrialConfig(arch="small_resnet", width=2.0, depth=2),
)


def storage(tensor):
    return tensor.untyped_storage().data_ptr()


@pytest.mark.parametrize("config", NETS, ids=lambda config: config.arch)
@pytest.mark.parametrize("side", [(16, 16), (37, 21)])
def test_the_size_of_a_net_is_that_of_its_weights_and_of_what_its_layers_keep_of_an_image(config, side):
    found = size_of(config, 7, side)

    net, kept = build(config, 7, side), {}
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.setdefault(storage(t), t), lambda t: t):
        net.eval()(torch.zeros(2, 3, *side))
    weights = {storage(tensor) for tensor in (*net.parameters(), *net.buffers())}
    kept = [tensor.untyped_storage().nbytes() // 2 for place, tensor in kept.items() if place not in weights]
    assert found.weights == 4 * sum(parameter.numel() for parameter in net.parameters())
    assert found.largest == max(kept)
    assert found.of_image == pytest.approx(sum(kept), rel=0.1)


@pytest.mark.parametrize("arch", ["timm/test_efficientnet", "timm/test_vit", "torchvision/swin_t"])
def test_the_size_of_a_net_of_a_catalogue_is_that_of_the_images_that_it_sees(arch):
    config = TrialConfig(arch=arch, pretrained=False, input_size=64)
    found = size_of(config, 7, (16, 16))

    net, kept = build(config, 7, (16, 16)), {}
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.setdefault(storage(t), t), lambda t: t):
        net.eval()(torch.zeros(2, 3, 16, 16))
    weights = {storage(tensor) for tensor in (*net.parameters(), *net.buffers())}
    kept = [tensor.untyped_storage().nbytes() // 2 for place, tensor in kept.items() if place not in weights]
    assert (found.seen, found.weights) == ((64, 64), 4 * sum(parameter.numel() for parameter in net.parameters()))
    assert found.of_image == pytest.approx(sum(kept), rel=0.1)


def test_a_net_that_cannot_take_the_images_is_refused_by_its_name_with_the_size_that_it_takes():
    config = TrialConfig(arch="timm/halonet26t", pretrained=False, input_size=64)

    with pytest.raises(ConfigError, match=r"arch=timm/halonet26t does not fit images of 64x64 px .*input_size=256"):
        size_of(config, 7, (16, 16))


def test_the_check_of_a_net_that_no_machine_can_hold_takes_no_memory():
    found = size_of(TrialConfig(arch="cnn", width=64.0, depth=1, head=65_536), 7, (640, 640))

    assert found.weights > 10**13


def test_a_size_is_found_without_torchs_compiler_which_takes_seconds():
    code = (
        "import sys; from trainable.size import size_of; from tests.search.runtime.test_memory import NETS\n"
        "for config in NETS: size_of(config, 7, (64, 64))\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_worker_needs_memory_for_training_predicting_or_saving_whichever_is_the_most():
    base, heavy, wide = size.PROCESS_BYTES, Size(10**9, 10**3, 10**3), Size(10**3, 10**8, 10**3)
    sgd, adam = (TrialConfig(arch="mlp", width=1.0, optimizer=name, batch_size=100) for name in ("sgd", "adam"))

    assert size.worker_bytes(sgd, heavy, (8, 8)) == base + 7 * 10**9  # as measured of a perceptron of 120 MB
    assert size.worker_bytes(adam, heavy, (8, 8)) == base + 9 * 10**9
    assert size.worker_bytes(sgd, wide, (8, 8)) == pytest.approx(base + 100 * 1.25 * 10**8, rel=0.01)
    assert size.gpu_bytes(sgd, wide, (8, 8)) < size.CUDA_BYTES + 3 * 10**8  # in batches of two images


def test_a_head_needs_memory_for_the_pass_through_its_net_and_for_the_features():
    values = dict(backbone="timm/tf_efficientnet_lite0", epochs=1, penalty=0.1)
    small, large = (TrialConfig(arch="logistic_head", input_size=side, **values) for side in (64, 224))

    found = [size_of(config, 3, (224, 224)) for config in (small, large)]
    needed = [size.worker_bytes(config, each, (224, 224)) for config, each in zip((small, large), found, strict=True)]

    assert [each.largest_output for each in found] == [96 * 32**2, 96 * 112**2]  # behind the first 1x1 convolution
    assert [each.features for each in found] == [6656, 10496]  # the last maps of small images have few cells
    assert min(needed) >= size.PROCESS_BYTES + size.MATRIX_BYTES + found[0].weights


def test_features_that_would_be_too_large_are_refused_before_the_first_trial(monkeypatch):
    head = TrialConfig(
        arch="logistic_head", backbone="timm/tf_efficientnet_lite0", input_size=64, epochs=1, penalty=0.1
    )
    check_nets([head], DATA)
    monkeypatch.setattr(store, "MOST_BYTES", 1000)

    with pytest.raises(UserError, match="the features of 24 images by timm/tf_efficientnet_lite0 at 64 px must take"):
        check_nets([head], DATA)


@pytest.mark.parametrize(
    ("workers", "of_machine", "expected"),
    [
        (Workers(1, 0, 0, 2), 10_000, 5_000),  # this machine, two trials at a time
        (Workers(1, 0, 3_000, 2), 10_000, 3_000),  # --memory-per-trial
        (Workers(1, 0, 0, 6), None, 1_000),  # of a cluster the node where a trial has least
        (Workers(1, 0, 0, 1), None, 4_000),  # --concurrency 1
        (Workers(9, 0, 0, 1), None, 0),
    ],
)
def test_what_a_worker_has_is_its_share_of_the_smallest_node(workers, of_machine, expected):
    nodes = [Node("a", {"CPU": 4, "memory": 4_000.0}), Node("b", {"CPU": 2, "memory": 8_000.0})]

    assert worker_bytes(nodes if of_machine is None else nodes[1:], workers, of_machine) == expected


def space(trial):
    arch = trial.suggest_categorical("arch", ["mlp", "cnn"])
    depth, head = (1, 64) if arch == "cnn" else (None, None)
    width = trial.suggest_float("width", 1.0, 40.0, log=True)
    epochs = trial.suggest_int("epochs", 2, 3)
    return TrialConfig(arch=arch, width=width, depth=depth, head=head, lr=0.01, epochs=epochs, batch_size=8)


@pytest.fixture
def small_process(monkeypatch):
    """Only nets count, so that small ones fill a small memory."""
    monkeypatch.setattr("sweep.trainable.size.PROCESS_BYTES", 0)


def limit_of(worker: int) -> MemoryLimit:
    return MemoryLimit(worker, 0, False, 3, (16, 16))


def test_what_is_not_drawn_is_said_once_for_each_architecture(small_process):
    corners = Space(space, {}, 9).corners()

    plenty, short, shorter = map(limit_of, (10**12, 200_000_000, 25_000_000))

    assert not plenty.matters(corners)
    assert plenty.notes(corners) == []
    assert short.matters(corners)
    (note,) = short.notes(corners)
    assert note.startswith("cnn: the largest nets need about ")
    assert "GB at 16x16 px, of the 0.2 GB that a worker has for a trial; what does not fit is not drawn." in note
    assert shorter.too_large(corners) == {"cnn"}
    assert any(note.startswith("cnn is not drawn: it needs at least") for note in shorter.notes(corners))


def test_what_a_net_needs_is_told_at_the_size_to_which_it_resizes(monkeypatch):
    monkeypatch.setattr(MemoryLimit, "_needs", lambda limit, config: [(4 * 10**9, limit.worker, "a worker")])
    config = TrialConfig(arch="torchvision/resnet18", input_size=384, pretrained=False)

    why = limit_of(10**9).why_too_large(config)

    assert why == "about 4.0 GB at 384x384 px, of the 1.0 GB that a worker has for a trial"


def test_a_space_of_which_nothing_fits_is_refused_with_what_is_needed_and_what_to_do(small_process):
    with pytest.raises(
        ConfigError, match=r"no net of the space fits into memory: the smallest needs about .* GB"
    ) as error:
        limit_of(1_000).notes(Space(space, {}, 9).corners())

    assert "--image-size" in str(error.value)


def test_a_limit_of_a_gpu_is_one_of_its_own():
    limit = MemoryLimit(10**12, 10**9, True, 3, (64, 64))

    assert limit.why_too_large(NETS[3]) == ""
    assert "that a GPU has for a trial" in limit.why_too_large(TrialConfig(arch="mlp", width=200.0))


def test_trials_that_share_a_gpu_are_not_refused_for_what_their_machine_has_and_it_is_noted():
    shared = MemoryLimit(10**9, 10**10, True, 3, (64, 64))

    assert shared.why_too_large(NETS[3]) == ""
    (note,) = shared.may_lack([NETS[3]])
    assert "a worker has 1.0 GB: should trials run out of memory, let fewer run at a time with --concurrency" in note
    assert MemoryLimit(29 * 10**8, 10**10, True, 3, (64, 64)).may_lack([NETS[3]]) == []
    assert MemoryLimit(1, 0, False, 3, (64, 64)).may_lack([NETS[3]]) == []


class WidthLimit:
    """Memory in which wide nets have no place."""

    def why_too_large(self, config):
        return "about 9.0 GB" if config.width > 3.0 else ""


@pytest.mark.parametrize("sampler", NAMES)
def test_no_trial_is_spent_on_a_net_that_does_not_fit_and_every_start_draws_the_same(tmp_path, sampler):
    plan = {"sampler": sampler, "limit": WidthLimit()}
    bridge, watcher = open_bridge(tmp_path / "once", 14, space, **plan)
    execute(bridge, DATA)

    for trials in range(1, 15):
        bridge, _ = open_bridge(tmp_path / "often", trials, space, **plan)
        execute(bridge, DATA)

    trials = Record(tmp_path / "once").trials
    assert len(trials) == len({number for number, _ in watcher.ordered}) == 14
    assert all(trial.config["width"] == trial.params["width"] <= 3.0 for trial in trials)
    assert len({trial.params["width"] for trial in trials}) > 12  # twice at the end of the range, by gp
    assert outcome(tmp_path / "often") == outcome(tmp_path / "once")


def test_a_trial_for_which_nothing_fits_in_many_draws_is_infeasible_and_the_sweep_goes_on(tmp_path):
    class NoRoom:
        def why_too_large(self, config):
            return "about 9.0 GB" if config.arch == "cnn" else ""

    bridge, _ = open_bridge(tmp_path, 2, space, limit=NoRoom(), families=("cnn", "mlp"), sampler="random")
    execute(bridge, DATA)

    first, second = Record(tmp_path).trials
    assert (first.state, first.reason) == ("FAIL", "infeasible")
    assert "cnn needs about 9.0 GB" in first.message
    assert second.state == "COMPLETE"


@pytest.fixture
def started(tmp_path, small_process):
    """Runs a sweep on a machine with so much memory for a trial."""
    file = tmp_path / "mine.py"
    file.write_text(
        "from sweep.trainable.config import TrialConfig\n"
        "def suggest(trial):\n"
        "    width = trial.suggest_float('width', 1.0, 40.0, log=True)\n"
        "    return TrialConfig(arch='mlp', width=width, lr=0.01, epochs=2, batch_size=8)\n"
    )

    def start(tiny_data, worker, trials, *words):
        words = ("--data", tiny_data, "--space", f"{file}:suggest", "--no-baselines", "--trials", trials, *words)
        return command(
            search_run_module.main, *words, "--sweep", tmp_path / "sweep", on=here(fake_train, worker=worker)
        )

    return start


def test_a_sweep_draws_nothing_larger_than_a_workers_memory_and_goes_on_elsewhere_as_it_was_begun(
    tiny_data, tmp_path, started, capfd
):
    first = started(tiny_data, 40_000_000, 8)
    said_first = capfd.readouterr().out
    again = started(tiny_data, 30_000_000, 12)
    said_again = capfd.readouterr().out

    assert first.exit_code == again.exit_code == 0, first.output + again.output
    assert said_first.count("mlp: the largest nets need about") == 1
    assert "A worker has 0.0 GB for a trial here, and had 0.0 GB where this sweep began" in said_again
    content = json.loads((tmp_path / "sweep" / "sweep.json").read_text())
    assert content["memory"] == {"worker": 40_000_000, "gpu": 0, "on_gpu": False}
    limit = limit_of(40_000_000)
    trials = Record(tmp_path / "sweep").trials
    assert len(trials) == 12
    assert not any(limit.why_too_large(TrialConfig.from_dict(trial.config)) for trial in trials)


def test_a_sweep_whose_nets_are_all_small_has_no_limit(tiny_data, tmp_path, started):
    done = started(tiny_data, 10**12, 1)

    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "sweep" / "sweep.json").read_text())["memory"] == {}


def test_an_enqueued_config_that_does_not_fit_is_refused_at_the_start_and_later(tiny_data, tmp_path, started):
    (tmp_path / "large.json").write_text('[{"width": 39.0}]')

    at_once = started(tiny_data, 40_000_000, 1, "--enqueue", tmp_path / "large.json")
    begun = started(tiny_data, 40_000_000, 1)
    later = started(tiny_data, 40_000_000, 2, "--enqueue", tmp_path / "large.json")

    assert begun.exit_code == 0, begun.output
    for refused in (at_once, later):
        assert refused.exit_code == 2
        assert f"--enqueue {tmp_path / 'large.json'}, entry 1: needs about" in refused.output
