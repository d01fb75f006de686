"""Sweeps in a bucket: a real S3 server over HTTP and a real PostgreSQL, which the tests start."""

import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner
from pyarrow.fs import FileInfo, FileType

from sweep.analysis import predict, read_sweep
from sweep.analysis.record import Record
from sweep.analysis.report import __main__ as report
from sweep.datasets.folds import folded
from sweep.search import check, run, status
from sweep.search.ray.node import DRIVER_FILE, inspect_machine
from sweep.search.ray.readiness import check_here
from sweep.search.runtime.process import Interrupted
from sweep.storage import files
from sweep.storage.bucket import BucketStore, open_place
from sweep.storage.paths import newest_checkpoints
from sweep.storage.postgres import lock_of, open_storage
from sweep.storage.store import store_of
from sweep.trainable.checkpoint import CheckpointError, read_checkpoint
from sweep.trainable.worker.attempt import Attempt
from sweep.trainable.worker.order import Order
from sweep.trainable.worker.ray_trial import RayTrial
from tests import buckets, postgres
from tests.clusters import until
from tests.drivers import ROOT, start
from tests.searched import command, data_is, here
from tests.trials import WorkerDied, execute, fake_train, in_memory, open_bridge, outcome

needs_postgres = pytest.mark.skipif(postgres.programs() is None, reason="PostgreSQL's server programs are missing")
DATA = in_memory()


@pytest.fixture(scope="module", autouse=True)
def s3():
    with buckets.running() as environment, pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def server():
    with postgres.running() as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGPASSWORD", postgres.PASSWORD)
        yield running


@pytest.fixture(autouse=True)
def temporary_files(monkeypatch):
    """Where the copies lie; the copies of a test are its own."""
    folder = Path(tempfile.mkdtemp(prefix="t-", dir="/tmp"))  # sockets of Ray lie in it: a short path
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)  # a store that is collected just now removes its own copy


def address(test):
    """A sweep of the test's own."""
    return f"s3://{buckets.BUCKET}/{test.node.name}"


def anew(place):
    """As another process sees it."""
    folder = open_place(place)
    store_of(folder).fetch(folder)
    return folder


def write(path, text):
    files.make_folder(path.parent)
    with files.written_whole(path) as partial:
        partial.write_text(text)


def test_what_is_written_whole_is_there_for_every_other_process(request):
    folder = open_place(address(request))
    write(folder / "trials" / "0001" / "config.json", "first")
    write(folder / "trials" / "0001" / "config.json", "second")

    other = anew(address(request))

    assert other != folder
    assert (other / "trials" / "0001" / "config.json").read_text() == "second"
    assert not list(other.rglob("*.partial"))


def test_what_is_removed_is_gone_for_every_other_process_too(request):
    folder = open_place(address(request))
    for name in ("a/1", "a/b/2", "c"):
        write(folder / name, name)

    files.remove(folder / "a")
    files.remove(folder / "nothing")

    assert [path.name for path in anew(address(request)).iterdir()] == ["c"]


def test_a_bucket_that_cannot_be_written_is_a_storage_that_failed_and_nothing_appears_here_either(tmp_path):
    folder = open_place("s3://no-such-bucket/sweep")

    with pytest.raises(OSError, match="NO_SUCH_BUCKET"):
        write(folder / "sweep.json", "text")

    assert not list(folder.iterdir())


def test_no_more_than_the_folders_own_files_are_fetched_where_they_are_enough(request):
    folder = open_place(address(request))
    write(folder / "sweep.json", "text")
    write(folder / "trials" / "0001" / "config.json", "text")

    folder = open_place(address(request))
    store_of(folder).fetch(folder, whole=False)

    assert (folder / "sweep.json").read_text() == "text"
    assert list((folder / "trials").iterdir()) == []


class Outdated:
    """A file system that lists what is gone since."""

    def __init__(self, real):
        self.real = real

    def __getattr__(self, name):
        return getattr(self.real, name)

    def get_file_info(self, selector):
        gone = [FileInfo(f"{selector.base_dir}/{name}", FileType.File, size=4) for name in ("gone", "a/gone")]
        return [*gone, *self.real.get_file_info(selector)]


def test_what_is_removed_while_it_is_fetched_is_left_out(request, monkeypatch):
    write(open_place(address(request)) / "sweep.json", "text")
    real = BucketStore("s3", buckets.BUCKET, ["any"]).file_system
    monkeypatch.setattr(BucketStore, "file_system", Outdated(real))

    folder = anew(address(request))

    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["sweep.json"]


@pytest.mark.parametrize(
    "text",
    ["s3://", "s3://b", "s3:/b/c", "s3://b/../c", "s3://b/c?secret_key=canary", "s3://k:canary@b/c", "http://b/c"],
)
def test_another_kind_of_address_is_refused_and_a_key_in_it_not_repeated(text):
    result = CliRunner().invoke(check.main, [text])

    assert result.exit_code == 2
    assert "must be s3://BUCKET/PATH or gs://BUCKET/PATH, without keys and options" in result.output
    assert "canary" not in result.output


def test_a_path_is_a_path():
    assert f"{open_place('sweeps/default')}" == "sweeps/default"


def test_an_order_leads_each_process_to_its_own_copy(request, temporary_files):
    bridge_side = open_place(address(request)) / "trials" / "0003"
    order = json.dumps(Order(3, 1, fake_config(), bridge_side, "accuracy").to_dict())

    worker_side = Order.from_dict(json.loads(order)).folder

    assert worker_side != bridge_side
    assert f"{worker_side}" == f"{address(request)}/trials/0003"
    assert str(temporary_files) not in order


def fake_config():
    from sweep.trainable.config import TrialConfig

    return TrialConfig(arch="mlp", width=0.1, epochs=9, lr=0.01, batch_size=8)


def test_an_attempt_on_another_node_goes_on_where_the_lost_one_had_come_to(request):
    started_at = []

    def spying_train(config, data, state):
        started_at.append(state.epochs_done)
        yield from fake_train(config, data, state)

    for attempt in (1, 2):
        folder = open_place(address(request)) / "trials" / "0000"
        Attempt(Order(0, attempt, fake_config(), folder, "accuracy"), DATA, train=spying_train).next_report()

    assert started_at[0] == 0
    assert started_at[1] > 0


def test_an_attempt_on_another_node_trains_no_finished_fold_again(request):
    data, trained = folded(DATA, 3, 0), []

    def lost_in_the_second_fold(config, data, state):
        for metrics in fake_train(config, data, state):
            trained.append((state.fold, metrics.epoch))
            if trained.count((2, 4)) == 1 and trained[-1] == (2, 4):
                raise WorkerDied
            yield metrics

    def attempt(number):
        folder = open_place(address(request)) / "trials" / "0000"
        return Attempt(Order(0, number, fake_config(), folder, "accuracy"), data, train=lost_in_the_second_fold)

    with pytest.raises(WorkerDied):
        attempt(1).next_report()
    report = attempt(2).next_report()

    assert report.done
    assert len(report.history) == 27
    assert [trained.count((fold, 9)) for fold in (1, 2, 3)] == [1, 1, 1]


class Listening:
    """A file system that notes what is read, and reads nothing once it is `down`."""

    def __init__(self, real):
        self.real, self.read, self.down = real, [], False

    def __getattr__(self, name):
        return getattr(self.real, name)

    def open_input_file(self, key):
        if self.down:
            raise OSError("the server is down")
        self.read.append(key.rpartition("/")[2])
        return self.real.open_input_file(key)


@pytest.fixture
def listening(monkeypatch):
    found = Listening(BucketStore("s3", buckets.BUCKET, ["any"]).file_system)
    monkeypatch.setattr(BucketStore, "file_system", found)
    return found


def trained_in(place):
    """Trains a trial to its end, which the driver has not seen yet."""
    order = Order(0, 1, fake_config(), open_place(place) / "trials" / "0000", "accuracy", rungs=(1, 3))
    attempt = Attempt(order, DATA, train=fake_train)
    while not attempt.next_report().done:
        pass


def test_of_a_trials_checkpoints_the_one_that_is_read_is_fetched(request, listening):
    trained_in(address(request))
    folder = anew(address(request)) / "trials" / "0000"
    newest, before = newest_checkpoints(folder, 1)
    listed = list(listening.read)

    read = read_checkpoint(newest)

    assert listed == ["result.json"]
    assert len(read.history) == 9
    assert listening.read == ["result.json", newest.name]
    assert not before.stat().st_size


def test_a_bucket_that_cannot_be_read_is_no_damaged_checkpoint(request, listening):
    """Else its trial would begin at its first epoch."""
    trained_in(address(request))
    folder = anew(address(request)) / "trials" / "0000"
    listening.down = True

    with pytest.raises(OSError, match="the server is down"):
        read_checkpoint(newest_checkpoints(folder, 1)[0])


def test_a_checkpoint_that_has_gone_from_the_bucket_is_a_damaged_one(request):
    trained_in(address(request))
    folder = anew(address(request)) / "trials" / "0000"
    newest = newest_checkpoints(folder, 1)[0]
    store_of(newest).file_system.delete_file(f"{newest}".removeprefix("s3://"))

    with pytest.raises(CheckpointError, match=newest.name):
        read_checkpoint(newest)


def test_what_is_moved_in_a_bucket_is_moved_whole_fetched_or_not(request):
    trained_in(address(request))
    folder = anew(address(request)) / "trials" / "0000"

    store_of(folder).move(folder / "attempt-1", folder / "attempt-2")

    folder = anew(address(request)) / "trials" / "0000"
    assert len(read_checkpoint(newest_checkpoints(folder, 2)[0]).history) == 9
    assert not any((folder / "attempt-1").glob("*"))


def test_the_copies_of_a_process_that_was_killed_go_with_the_next_one(request, temporary_files):
    code = (
        "import os, signal, tempfile; from storage.bucket import open_place\n"
        f"tempfile.tempdir = {str(temporary_files)!r}; open_place('s3://b/sweep').mkdir(parents=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    left = list(temporary_files.iterdir())

    _kept = open_place(address(request))

    assert len(left) == 1
    assert left[0] not in temporary_files.iterdir()


def test_copies_in_use_stay(request, temporary_files):
    code = (
        "import sys, tempfile; from storage.bucket import open_place\n"
        f"tempfile.tempdir = {str(temporary_files)!r}; kept = open_place('s3://b/sweep'); print(flush=True)\n"
        "sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    other.stdout.readline()

    _kept = open_place(address(request))

    assert len(list(temporary_files.iterdir())) == 2
    other.communicate()


def test_a_node_finds_what_the_driver_wrote_and_leaves_its_own(request):
    place = f"{address(request)}/look"
    write(open_place(place) / DRIVER_FILE, "")

    found = inspect_machine(place, "a-node", counts_gpus=False)

    assert found.storage == ""
    assert (anew(place) / "a-node").read_text() == "a-node"


def test_a_look_at_this_machine_leaves_no_file_in_the_bucket(request):
    check_here(open_place(address(request)))

    assert not any(path.is_file() for path in anew(address(request)).rglob("*"))


def test_an_upload_that_a_signal_comes_amid_is_whole_or_not_at_all(request):
    """What a handler raises closes whatever is open on its way, and a stream that is closed is an object."""
    path = open_place(address(request)) / "sweep.json"
    texts = ["old " * 100_000, "new " * 100_000]
    write(path, texts[0])

    def raise_interrupted(number, _):
        raise Interrupted(number)

    before = signal.signal(signal.SIGALRM, raise_interrupted)
    try:
        for delay in (0.0005, 0.001, 0.002, 0.004, 0.008):
            with suppress(Interrupted):
                signal.setitimer(signal.ITIMER_REAL, delay)
                write(path, texts[1])
                signal.setitimer(signal.ITIMER_REAL, 0)  # here: it may still come, until then
            assert (anew(address(request)) / "sweep.json").read_text() in texts
    finally:
        signal.signal(signal.SIGALRM, before)


def test_a_fetched_copy_has_no_more_than_the_bucket_but_for_its_lock_and_log(request):
    folder = open_place(address(request))
    write(folder / "here", "text")
    (folder / "a").mkdir()
    for name in ("lock", "log.txt", "gone", "a/gone"):
        (folder / name).write_text(name)

    store_of(folder).fetch(folder)

    assert sorted(path.name for path in folder.iterdir()) == ["here", "lock", "log.txt"]


@pytest.mark.database
@needs_postgres
def test_generated_images_are_for_a_folder(request, server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(run.main, ["--sweep", address(request), "--ledger", server.url])

    assert result.exit_code == 2
    assert f"--sweep {address(request)}: demo images are generated into a folder; give --data" in result.output


def test_a_worker_keeps_no_more_than_its_trial(request, tmp_path):
    worker = object.__new__(RayTrial)
    worker.dataset, worker.device, worker.train_function = DATA, "cpu", fake_train
    place = open_place(address(request)) / "trials"
    orders = [Order(number, 1, fake_config(), place / f"{number:04d}", "accuracy").to_dict() for number in range(2)]

    folders = []
    for order in orders:
        worker.reset_config({"order": order})
        worker.attempt.next_report()
        folders.append(worker.attempt.order.folder)

    assert [(folder.name, folder.exists()) for folder in folders] == [("0000", False), ("0001", True)]


def test_a_sweep_in_a_bucket_needs_a_database(request, tiny_data):
    result = CliRunner().invoke(run.main, ["--data", str(tiny_data), "--sweep", address(request)])

    assert result.exit_code == 2
    assert f"--sweep {address(request)}: a bucket needs --ledger postgresql://" in result.output


@pytest.mark.database
@needs_postgres
@pytest.mark.parametrize("data", [DATA, folded(DATA, 3, 0)], ids=["one net", "folds"])
def test_a_sweep_in_a_bucket_is_the_same_sweep(request, server, tmp_path, data):
    bridge, _ = open_bridge(tmp_path / "folder", 5, folds=data.folds)
    execute(bridge, data)

    name = f"{1 + (data.folds is not None)}" * 32
    bridge, _ = open_bridge(open_place(address(request)), 5, ledger=server.url, id=name, folds=data.folds)
    execute(bridge, data)
    bridge.ledger._storage.engine.dispose()

    assert outcome(anew(address(request))) == outcome(tmp_path / "folder")
    assert not any(anew(address(request)).rglob("attempt-*/*"))


@pytest.mark.database
@needs_postgres
def test_two_drivers_that_begin_at_once_do_not_both_begin(request, server, tiny_data, monkeypatch):
    data_is(monkeypatch)
    first = open_storage(server.url, lock=lock_of(open_place(address(request)), "of its own"))

    second = command(run.main, "--data", tiny_data, "--sweep", address(request), "--ledger", server.url, on=here())

    assert second.exit_code == 75
    assert f"another driver holds this sweep: sweep, pid {os.getpid()}" in second.output
    assert not any(path.is_file() for path in anew(address(request)).rglob("*"))
    first.engine.dispose()


@pytest.mark.database
@needs_postgres
def test_whoever_began_meanwhile_is_not_written_over(request, server, tiny_data, monkeypatch):
    """The other has begun and ended between this one's look and its lock."""
    data_is(monkeypatch)
    fetched = BucketStore.fetch

    def fetch_late(store, folder, whole=True):
        if whole:
            write(folder / "sweep.json", '{"id": "another"}')
            fetched(store, folder)

    monkeypatch.setattr(BucketStore, "fetch", fetch_late)

    result = command(run.main, "--data", tiny_data, "--sweep", address(request), "--ledger", server.url, on=here())

    assert result.exit_code == 75
    assert f"{address(request)}: another driver has begun this sweep meanwhile" in result.output
    assert (anew(address(request)) / "sweep.json").read_text() == '{"id": "another"}'


@pytest.mark.database
@needs_postgres
def test_a_repair_beside_a_driver_is_refused_on_every_machine(request, server):
    first, _ = open_bridge(open_place(address(request)), 5, ledger=server.url, id="3" * 32)

    result = command(check.main, address(request), "--repair")

    assert result.exit_code == 75
    assert "another driver holds this sweep" in result.output
    first.ledger._storage.engine.dispose()


@pytest.mark.database
@needs_postgres
def test_a_repair_mends_the_bucket_and_keeps_there_what_was_before(request, server):
    bridge, _ = open_bridge(open_place(address(request)), 3, ledger=server.url, id="4" * 32)
    execute(bridge, DATA)
    bridge.ledger._storage.engine.dispose()
    write(open_place(address(request)) / "trials" / "0000" / "valid_classes.npy", "damaged")

    result = command(check.main, address(request), "--repair")

    assert "mended: " in result.output, result.output
    folder = anew(address(request))
    assert not (folder / "trials" / "0000" / "valid_classes.npy").exists()
    assert (folder / "backup-1" / "trials" / "0000" / "valid_classes.npy").read_text() == "damaged"


@pytest.mark.database
@needs_postgres
@pytest.mark.ray
def test_a_sweep_is_killed_goes_on_and_predicts_and_no_folder_of_it_is_left_here(
    request, server, tiny_data, tmp_path, temporary_files
):
    place, quick = address(request), tmp_path / "quick"
    words = ("--trials", 2, "--max-epochs", 60, "--no-baselines", "--pruner", "none", "--sampler", "random")
    words += ("--fix", "arch=mlp", "--fix", "epochs=60", "--ledger", server.url)
    asked = ("tests.slow_run", quick, "--data", tiny_data, "--sweep", place, *words)
    environment = {**os.environ, "TMPDIR": str(temporary_files)}
    shown = lambda: CliRunner().invoke(status.main, [place]).output  # noqa: E731
    killed = start(*asked, env=environment)
    saved = lambda: {path.parts[-3] for path in anew(place).glob("trials/*/attempt-1/checkpoint-*")}  # noqa: E731
    until(lambda: len(saved()) == 2, "two trials train", killed)
    during = shown()
    killed.kill()
    killed.communicate()
    after = shown()
    quick.touch()
    driver = start(*asked, env=environment)
    output, _ = driver.communicate(timeout=300)

    assert driver.returncode == 0, output
    assert f"driver: sweep, pid {killed.pid}" in during
    assert "driver: none runs; the sweep goes on by python -m search.run" in after
    assert "Goes on: 0 trials had ended, 2 continue from their checkpoints." in output
    assert f"report: {place}/report.html" in output
    assert CliRunner().invoke(report.main, [place]).output == f"{place}/report.html\n"
    assert CliRunner().invoke(predict.main, [place]).output.startswith(f"{place}/predictions.csv: 10 predictions")
    assert CliRunner().invoke(check.main, [place]).output.startswith(f"{place}: whole")
    gc.collect()  # the copies that this test made
    assert not list(temporary_files.glob("sweep-copy-*"))  # nor of the workers, or of the driver that was killed
    assert len(read_sweep(place).trials) == 2
    folder = anew(place)
    assert [trial.state for trial in Record(folder).trials] == ["COMPLETE"] * 2
    assert [len(trial.history) for trial in Record(folder).trials] == [60, 60]
    assert len((folder / "predictions.csv").read_text().splitlines()) == 11
    assert str(temporary_files) not in (folder / "report.html").read_text()
