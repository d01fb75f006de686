"""Writes TensorBoard event files of a sweep's trials, with their hyperparameters, once for each trial that ended."""

from collections.abc import Iterator
from contextlib import closing

from google.protobuf.json_format import ParseDict
from tensorboardX.proto.api_pb2 import Status
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData, SessionEndInfo, SessionStartInfo
from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboardX.record_writer import RecordWriter

from sweep.analysis.record import Record
from sweep.analysis.trial_record import TrialRecord
from sweep.storage.files import DamagedError, make_folder, written_whole
from sweep.storage.states import State
from sweep.trainable.metrics.history import OWN_FIELD

SCALARS = ("train_loss", "valid_loss", "valid_accuracy", "valid_balanced_accuracy", "lr", OWN_FIELD)  # for each epoch


def write_events(record: Record) -> tuple[list[int], list[str]]:
    """Writes `tensorboard/NUMBER/` for each ended trial that has no such folder yet, whole or not at all.

    The same trial gives the same bytes whenever it is written, because the time of an event is the time at which the
    trial ended, less the seconds of its later epochs.

    Returns:
      The numbers of the trials that were written, and a message for each damaged trial that was left out.

    Raises:
      OSError: the disk is full, or fails.
    """
    numbers, messages = [], []
    for trial in record.trials:
        name = f"{trial.number:04d}"
        path = record.folder / "tensorboard" / name / f"events.out.tfevents.{name}"
        if trial.state == State.RUNNING or path.exists():
            continue
        try:
            events = list(_events(trial))
        except DamagedError as error:
            messages.append(str(error))
            continue
        make_folder(path.parent)
        # A SummaryWriter would not do: its thread loses the error of a full disk, and its events have the time of
        # writing.
        with written_whole(path) as partial, closing(RecordWriter(str(partial))) as writer:
            for event in events:
                writer.write(event.SerializeToString(deterministic=True))
            writer.flush()
        numbers.append(trial.number)
    return numbers, messages


def _events(trial: TrialRecord) -> Iterator[Event]:
    """Yields all events of a trial, in order of their time.

    Raises:
      DamagedError: the history of the trial is damaged.
    """
    history = trial.history
    end = trial.ended_at.timestamp() if trial.ended_at else 0.0
    time = end - sum(epoch["seconds"] for epoch in history)
    yield Event(wall_time=time, file_version="brain.Event:2")
    start = SessionStartInfo(start_time_secs=time)
    for name, value in {**trial.config, "state": trial.state}.items():
        ParseDict(value, start.hparams[name])
    # There is no `_hparams_/experiment`, which would list the names of parameters and metrics. TensorBoard would read
    # that of one folder only, although architectures have different parameters. Without it, TensorBoard collects the
    # names from all folders.
    yield _plugin(time, "session_start_info", HParamsPluginData(session_start_info=start))
    for epoch in history:
        time += epoch["seconds"]
        prefix = f"fold-{epoch['fold']}/" if "fold" in epoch else ""
        yield _scalars(time, int(epoch["epoch"]), {prefix + name: epoch[name] for name in SCALARS if name in epoch})
    if trial.value is not None:
        yield _scalars(end, trial.best_epoch or trial.folds, {"value": trial.value})
    status = Status.Value("STATUS_FAILURE" if trial.state == State.FAIL else "STATUS_SUCCESS")
    stop = SessionEndInfo(status=status, end_time_secs=end)
    yield _plugin(end, "session_end_info", HParamsPluginData(session_end_info=stop))


def _scalars(time: float, epoch: int, values: dict[str, float]) -> Event:
    summary = Summary(value=[Summary.Value(tag=name, simple_value=value) for name, value in values.items()])
    return Event(wall_time=time, step=epoch, summary=summary)


def _plugin(time: float, tag: str, content: HParamsPluginData) -> Event:
    data = SummaryMetadata.PluginData(plugin_name="hparams", content=content.SerializeToString(deterministic=True))
    value = Summary.Value(tag=f"_hparams_/{tag}", metadata=SummaryMetadata(plugin_data=data))
    return Event(wall_time=time, summary=Summary(value=[value]))
