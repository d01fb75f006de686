"""Faults on real Ray workers."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from sweep.analysis.record import Record
from sweep.datasets.folds import folded
from sweep.search.ray import executor, ray_2_60
from sweep.search.ray.address import RayFailedError
from sweep.search.ray.executor import Abort, BridgeCallback, BridgeScheduler, BridgeSearcher, Stopped, execute
from sweep.storage import user_code
from sweep.storage.states import Stop
from sweep.trainable.config import TrialConfig
from sweep.trainable.worker import attempt
from sweep.trainable.worker.ray_trial import RayTrial
from tests.drivers import ROOT
from tests.trials import execute as run_alone
from tests.trials import fake_train, in_memory, open_bridge, outcome

pytestmark = pytest.mark.ray
DATA = in_memory()


@pytest.fixture(scope="module")
def ray_session():
    from sweep.search.ray.connection import connected, prepare

    prepare()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGPASSWORD", "c4nary")
        with connected(None) as vigil:
            yield vigil


def two_epochs_space(trial):
    return TrialConfig(arch="mlp", width=0.1, epochs=3, lr=trial.suggest_float("lr", 0.01, 0.1), batch_size=8)


def test_a_worker_can_import_the_project_and_has_no_password(ray_session, tmp_path):
    import ray

    @ray.remote
    def look() -> tuple[bool, str | None, str | None]:
        import importlib.util

        there = importlib.util.find_spec("sweep.trainable.worker.ray_trial") is not None
        return there, os.environ.get("PGPASSWORD"), os.environ.get("NO_ALBUMENTATIONS_UPDATE")

    assert os.environ["PGPASSWORD"] == "c4nary"
    assert ray.get(look.remote()) == (True, None, "1")


def test_a_session_for_one_driver_has_no_dashboard_and_no_monitors(ray_session):
    node = ray_session.node

    assert set(node.all_processes) == {"gcs_server", "raylet"}
    for name in ("start_monitor", "start_log_monitor", "start_api_server"):
        assert getattr(type(node), name).__name__ == name  # another session of this process has them


def token_of(process):
    """The token that a process of Ray's was started with; who is not its owner cannot read that."""
    words = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
    return dict(word.split(b"=", 1) for word in words if b"=" in word)[b"RAY_AUTH_TOKEN"]


def test_the_token_of_a_session_stands_in_no_file_and_its_folder_is_for_its_owner_alone(ray_session):
    folder = Path(ray_session.node.get_session_dir_path()).parent
    token = token_of(ray_session.node.all_processes["raylet"][0].process)

    assert len(token) == 64
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not any(token in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_no_log_of_ray_has_the_drivers_keys(ray_session, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "c4nary-key")
    bridge, _ = open_bridge(tmp_path / "sweep", 1, function=two_epochs_space)

    execute(bridge, DATA, {"cpu": 1}, lambda: 1)

    logs = [path.read_bytes() for path in Path(ray_session.logs).rglob("*") if path.is_file()]
    assert logs
    assert not any(b"c4nary" in log for log in logs)


def test_a_worker_killed_once_costs_one_attempt_and_no_epoch(ray_session, tmp_path):
    died = tmp_path / "died"

    class KilledOnce(RayTrial):
        @staticmethod
        def training(config, data, state):
            for metrics in fake_train(config, data, state):
                if metrics.epoch == 2 and not died.exists():
                    died.touch()
                    os.kill(os.getpid(), signal.SIGKILL)  # no exception handler runs
                yield metrics

    bridge, watcher = open_bridge(tmp_path / "sweep", 3, function=two_epochs_space, pruner="none")
    execute(bridge, DATA, {"cpu": 1}, lambda: 1, KilledOnce)

    record = Record(tmp_path / "sweep")
    assert [trial.state for trial in record.trials] == ["COMPLETE"] * 3
    assert [trial.attempts for trial in record.trials] == [2, 1, 1]
    assert [epoch["epoch"] for epoch in record.trials[0].history] == [1, 2, 3]
    assert any("worker lost in attempt 1" in message for message in watcher.messages)


def test_a_process_of_a_trial_killed_once_costs_one_attempt_and_ends_with_its_worker(ray_session, tmp_path):
    died = tmp_path / "died"

    class InTwoProcesses(RayTrial):
        processes = 2

        def step(self):
            others = self.team.others
            if others and not died.exists():
                died.write_text(str(others.members[0].process.pid))
                os.kill(others.members[0].process.pid, signal.SIGKILL)
            return super().step()

    bridge, watcher = open_bridge(tmp_path / "sweep", 2, function=two_epochs_space, pruner="none")
    execute(bridge, DATA, {"cpu": 1}, lambda: 1, InTwoProcesses)

    record = Record(tmp_path / "sweep")
    assert [trial.state for trial in record.trials] == ["COMPLETE"] * 2
    assert sorted(trial.attempts for trial in record.trials) == [1, 2]
    assert [[epoch["epoch"] for epoch in trial.history] for trial in record.trials] == [[1, 2, 3]] * 2
    assert any("worker lost in attempt 1" in message for message in watcher.messages)
    assert not Path(f"/proc/{died.read_text()}").exists()


def test_paused_trials_give_their_worker_away_and_go_on_as_without_ray(ray_session, tmp_path):
    class Noted(RayTrial):
        @staticmethod
        def training(config, data, state):
            (tmp_path / f"pid-{os.getpid()}").touch()
            yield from fake_train(config, data, state)

    for name in ("ray", "alone"):
        bridge, watcher = open_bridge(tmp_path / name, 6, pruner_number=3)
        if name == "ray":
            execute(bridge, DATA, {"cpu": 1}, lambda: 1, Noted)
        else:
            run_alone(bridge, DATA)

    assert outcome(tmp_path / "ray") == outcome(tmp_path / "alone")
    assert {trial.state for trial in Record(tmp_path / "ray").trials} >= {"COMPLETE", "PRUNED"}
    assert len(watcher.ordered) > 6
    assert len(list(tmp_path.glob("pid-*"))) == 1


def test_one_worker_trains_trial_after_trial_and_failures_come_back_as_results(ray_session, tmp_path):
    class Failing(RayTrial):
        @staticmethod
        def training(config, data, state):
            (tmp_path / f"pid-{os.getpid()}").touch()
            if config.seed % 2:
                raise ValueError(f"odd seed {config.seed}")
            yield from fake_train(config, data, state)

    bridge, _ = open_bridge(tmp_path / "sweep", 6, function=two_epochs_space, pruner="none")
    execute(bridge, DATA, {"cpu": 1}, lambda: 1, Failing)

    trials = Record(tmp_path / "sweep").trials
    odd = [trial.config["seed"] % 2 == 1 for trial in trials]
    assert [trial.state for trial in trials] == ["FAIL" if is_odd else "COMPLETE" for is_odd in odd]
    assert {trial.reason for trial in trials if trial.state == "FAIL"} == {"error"}
    assert all(trial.message.startswith("ValueError: odd seed") for trial in trials if trial.state == "FAIL")
    assert len(list(tmp_path.glob("pid-*"))) == 1


@pytest.mark.parametrize("others", [9, 5], ids=["while there are others", "until there is no other"])
def test_a_trial_waits_for_the_worker_that_starts_for_it(ray_session, tmp_path, others):
    """Five trials end before the second worker has started, which is to train the second of six, or of ten."""

    def ended():
        return len(list(tmp_path.glob("sweep/trials/*/history.json")))

    def wait_until(is_so):
        while not is_so():
            threading.Event().wait(0.01)

    class SlowSecond(RayTrial):
        def setup(self, config, **shared):
            try:
                (tmp_path / "first").touch(exist_ok=False)
            except FileExistsError:
                wait_until(lambda: ended() >= 5)
            super().setup(config, **shared)

        @staticmethod
        def training(config, data, state):
            (tmp_path / f"pid-{os.getpid()}").touch()
            wait_until(lambda: ended() < 5 or others == 5 or len(list(tmp_path.glob("pid-*"))) == 2)
            yield from fake_train(config, data, state)

    bridge, _ = open_bridge(tmp_path / "sweep", 1 + others, function=two_epochs_space, pruner="none")
    execute(bridge, DATA, {"cpu": 1}, lambda: 2, SlowSecond)

    assert [trial.state for trial in Record(tmp_path / "sweep").trials] == ["COMPLETE"] * (1 + others)
    assert len(list(tmp_path.glob("pid-*"))) == (2 if others == 9 else 1)


def small_nets(trial):
    from sweep.trainable.config import TrialConfig

    lr = trial.suggest_float("lr", 0.01, 0.1, log=True)
    flips = dict(horizontal_flip=0.5, rotate=0.5, gauss_noise=0.5)
    return TrialConfig(arch="small_resnet", width=1.0, depth=1, epochs=2, lr=lr, batch_size=8, **flips)


def test_trials_beside_each_other_have_the_metrics_that_they_have_alone(ray_session, tmp_path):
    outcomes = []
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        bridge, _ = open_bridge(folder, 4, function=small_nets, sampler="random", pruner="none")
        execute(bridge, DATA, {"cpu": 1}, lambda count=workers: count)
        outcomes.append([[{**epoch, "seconds": 0} for epoch in trial.history] for trial in Record(folder).trials])

    assert [len(history) for history in outcomes[0]] == [2] * 4
    assert outcomes[0] == outcomes[1]


def test_the_driver_imports_no_torch_before_a_trial_ends():
    imports = "search.runtime.sweep, search.runtime.bridge, search.sinks.screen, search.ray.executor"
    program = f"import sys, {imports}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_an_error_of_the_ledger_is_not_swallowed_by_tune(ray_session, tmp_path, monkeypatch):
    bridge, _ = open_bridge(tmp_path / "sweep", 2, function=two_epochs_space)

    def full(*_):
        raise OSError(28, "No space left on device", "journal.log")

    monkeypatch.setattr(bridge.ledger, "tell", full)

    with pytest.raises(OSError, match="No space left"):
        execute(bridge, DATA, {"cpu": 1}, lambda: 1)


def test_a_worker_killed_in_a_fold_goes_on_there_and_trains_no_finished_fold_again(ray_session, tmp_path):
    died, trained = tmp_path / "died", tmp_path / "trained"

    class KilledOnce(RayTrial):
        @staticmethod
        def training(config, data, state):
            for metrics in fake_train(config, data, state):
                with open(trained, "a") as log:
                    log.write(f"{state.fold} {metrics.epoch}\n")
                if (state.fold, metrics.epoch) == (2, 3) and not died.exists():
                    died.touch()
                    os.kill(os.getpid(), signal.SIGKILL)  # no exception handler runs
                yield metrics

    data = folded(DATA, 3, 0)
    bridge, _ = open_bridge(tmp_path / "sweep", 1, function=two_epochs_space, folds=data.folds)
    execute(bridge, data, {"cpu": 1}, lambda: 1, KilledOnce)

    (trial,) = Record(tmp_path / "sweep").trials
    assert (trial.state, trial.attempts, trial.folds) == ("COMPLETE", 2, 3)
    lines = trained.read_text().splitlines()
    assert lines.count("1 1") == lines.count("1 3") == lines.count("3 3") == 1
    assert trial.valid_logits.shape == (44, 3)


def test_a_hung_trial_is_ended_and_goes_on_from_its_checkpoint(ray_session, tmp_path):
    hung = tmp_path / "hung"

    class HungOnce(RayTrial):
        def setup(self, config, **shared):
            attempt.HUNG_SECONDS = 0.5  # in the worker
            super().setup(config, **shared)

        @staticmethod
        def training(config, data, state):
            for metrics in fake_train(config, data, state):
                if metrics.epoch == 2 and not hung.exists():
                    hung.touch()
                    threading.Event().wait()
                yield metrics

    bridge, watcher = open_bridge(tmp_path / "sweep", 1, function=two_epochs_space, pruner="none")
    execute(bridge, DATA, {"cpu": 1}, lambda: 0, HungOnce)  # a report after its first epoch

    trial = Record(tmp_path / "sweep").trials[0]
    assert (trial.state, trial.attempts) == ("COMPLETE", 2)
    assert any("no progress in attempt 1" in message for message in watcher.messages)


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        ("Failure # 1\nThe actor died unexpectedly\nbefore finishing", "The actor died unexpectedly before finishing"),
        ("Failure # 1\nTask was killed due to the node running low on memory.", "out of memory"),
    ],
    ids=["lost", "out of memory"],
)
def test_what_ended_a_worker_is_told_to_the_bridge(tmp_path, cause, said):
    bridge, _ = open_bridge(tmp_path / "sweep", 1, attempts=1)
    trial = SimpleNamespace(config={"order": bridge.next_order().to_dict()}, error_file=tmp_path / "error.txt")
    trial.error_file.write_text(cause)

    BridgeScheduler(bridge).on_trial_error(None, trial)

    if said == "out of memory":
        assert bridge.ledger.trial(0).user_attrs["out_of_memory_in"] == 1
    else:
        assert said in Record(tmp_path / "sweep").trials[0].message


def test_a_head_that_does_not_answer_the_driver_costs_no_more_than_the_name_of_a_node(tmp_path, monkeypatch):
    def fail():
        raise ConnectionError("the GCS is not there")

    ask_head = ray_2_60.ask_head
    monkeypatch.setattr(ray_2_60, "ask_head", lambda _, otherwise: ask_head(fail, otherwise))
    monkeypatch.setattr(executor.ray, "is_initialized", lambda: True)
    bridge, _ = open_bridge(tmp_path / "sweep", 1)
    order = bridge.next_order().to_dict()
    worker = SimpleNamespace(_actor_id=SimpleNamespace(hex=lambda: "17"))
    trial = SimpleNamespace(config={"order": order}, error_file=None, temporary_state=SimpleNamespace(ray_actor=worker))

    BridgeCallback(bridge, lambda: 1, is_local=False).on_trial_start(1, [trial], trial)
    BridgeScheduler(bridge).on_trial_error(None, trial)

    assert bridge.ledger.trial(0).user_attrs["losses"] == 1


def test_a_sweep_that_stops_does_not_wait_for_trials_that_found_no_place(tmp_path):
    bridge, _ = open_bridge(tmp_path / "sweep", 2)
    bridge.next_order(), bridge.next_order()
    pending, running = SimpleNamespace(status="PENDING"), SimpleNamespace(status="RUNNING")
    watch = BridgeCallback(bridge, lambda: 1, is_local=True).on_step_begin
    watch(1, [pending])

    bridge.stop(Stop.TIME_BUDGET)

    watch(2, [pending, running])
    with pytest.raises(Stopped):
        watch(3, [pending])


def test_what_can_wait_for_idleness_waits_until_workers_have_started(tmp_path):
    bridge, _ = open_bridge(tmp_path / "sweep", 1)
    idle = []
    searcher = BridgeSearcher(bridge, lambda: idle.append(True))
    assert searcher.suggest("first") is not None
    assert searcher.suggest("no more") is None
    assert idle == []

    searcher.on_trial_result("first", {})
    searcher.suggest("no more")
    searcher.suggest("no more")

    assert idle == [True]


def test_the_first_trial_that_waits_is_chosen_to_run(tmp_path):
    bridge, _ = open_bridge(tmp_path / "sweep", 1)
    orders = [("RUNNING", 1), ("PENDING", 3), ("PENDING", 2), ("PENDING", 4)]
    live = [SimpleNamespace(status=status, config={"order": {"number": number}}) for status, number in orders]
    choose = BridgeScheduler(bridge).choose_trial_to_run

    assert choose(SimpleNamespace(get_live_trials=lambda: live)).config["order"]["number"] == 2
    assert choose(SimpleNamespace(get_live_trials=lambda: live[:1])) is None


@pytest.mark.parametrize(
    ("is_local", "words"), [(False, "wait for a node of the cluster to come"), (True, "this machine is busy")]
)
def test_that_no_trial_finds_a_place_is_said_once_after_half_a_minute(tmp_path, monkeypatch, is_local, words):
    clock = iter([0.0, 20.0, 31.0, 40.0, 80.0])
    monkeypatch.setattr(executor, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    bridge, watcher = open_bridge(tmp_path / "sweep", 1)
    bridge.next_order()
    said = []
    watch = BridgeCallback(bridge, lambda: 1, is_local).on_step_begin

    for place in range(5):
        watch(place, [SimpleNamespace(status="PENDING")])
        said.append(len(watcher.messages))

    assert said == [0, 0, 1, 1, 1]
    assert words in watcher.messages[0]
    assert bridge.is_stuck
    watch(5, [SimpleNamespace(status="RUNNING")])
    assert not bridge.is_stuck


def ray_has_ended():
    raise RayFailedError("its raylet was ended by SIGKILL")


def test_workers_that_die_with_ray_cost_no_trial_an_attempt(tmp_path):
    bridge, watcher = open_bridge(tmp_path / "sweep", 1)
    trial = SimpleNamespace(config={"order": bridge.next_order().to_dict()}, error_file=None)

    with pytest.raises(Abort) as abort:
        BridgeScheduler(bridge, ray_has_ended).on_trial_error(None, trial)

    assert isinstance(abort.value.__cause__, RayFailedError)
    assert "losses" not in bridge.ledger.trial(0).user_attrs
    assert watcher.messages == []


def test_a_sweep_whose_ray_has_ended_waits_for_no_trial(tmp_path):
    bridge, _ = open_bridge(tmp_path / "sweep", 1)
    bridge.next_order()

    with pytest.raises(Abort) as abort:
        BridgeCallback(bridge, lambda: 1, True, ray_has_ended).on_step_begin(1, [SimpleNamespace(status="RUNNING")])

    assert isinstance(abort.value.__cause__, RayFailedError)


def test_a_model_of_the_users_is_trained_by_workers_that_do_not_have_its_file(ray_session, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from torch import nn\n"
        "def build(config, classes, image_size):\n"
        "    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, classes))\n"
    )
    reference = user_code.name(f"{file}:build", "--code")
    file.unlink()

    def space(trial):
        return TrialConfig(arch=reference, epochs=1, lr=trial.suggest_float("lr", 0.01, 0.1), batch_size=8)

    bridge, _ = open_bridge(tmp_path / "sweep", 2, function=space, pruner="none")
    execute(bridge, DATA, {"cpu": 1}, lambda: 1)

    trials = Record(tmp_path / "sweep").trials
    assert [(trial.state, trial.message) for trial in trials] == [("COMPLETE", "")] * 2


def test_a_transform_of_the_examples_is_run_by_workers_that_do_not_have_its_file(ray_session, tmp_path):
    file = Path(shutil.copy(ROOT / "examples/transform.py", tmp_path))
    suggest = user_code.get(user_code.name(f"{file}:suggest", "--space"))
    file.unlink()

    def space(trial):
        return replace(suggest(trial), epochs=1)

    bridge, _ = open_bridge(tmp_path / "sweep", 2, function=space, pruner="none")
    execute(bridge, DATA, {"cpu": 1}, lambda: 1)

    trials = Record(tmp_path / "sweep").trials
    assert [(trial.state, trial.message) for trial in trials] == [("COMPLETE", "")] * 2
    assert all(f"{file}:Speckle" in trial.config["pipeline"] for trial in trials)
