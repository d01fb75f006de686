"""Reads a sweep in a notebook: its trials and epochs as DataFrames, its best model as a torch module.

    from sweep import read_sweep

    sweep = read_sweep("sweeps/default")
    sweep.trials.sort_values("value", ascending=False).head()
    model = sweep.best_model()

Importing this module imports neither pandas nor torch, because an import of any module of this package imports it.
"""

from functools import cached_property
from os import PathLike, fspath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from sweep.analysis.record import Record
    from sweep.analysis.trial_record import TrialRecord
    from sweep.trainable.config import TrialConfig


class Sweep:
    """A running, interrupted or finished sweep as it was when it was read; to see what is new, read it again.

    Attributes:
      record: everything else that the sweep has, for code that needs more than this class offers.
    """

    def __init__(self, record: "Record") -> None:
        self.record = record

    @cached_property
    def trials(self) -> "pd.DataFrame":
        """One row for each trial, RUNNING ones too: `number, state, reason, value, valid_accuracy, ..., config.*`.

        There is a column `config.NAME` for each field that is set in some config.

        Raises:
          DamagedError: a file that was kept of a trial is damaged.
        """
        from sweep.analysis.outputs.tables import trials_table

        return trials_table(self.record)

    @cached_property
    def epochs(self) -> "pd.DataFrame":
        """One row for each epoch of each ended trial: `number, epoch, train_loss, valid_loss, valid_accuracy, ...`.

        Raises:
          DamagedError: a file that was kept of a trial is damaged.
        """
        from sweep.analysis.outputs.tables import epochs_table

        return epochs_table(self.record)

    @property
    def classes(self) -> list[str]:
        """The names of the classes as the data has them, in the order of the logits."""
        return self.record.classes

    @property
    def best(self) -> "TrialConfig":
        """The config of the best COMPLETE trial.

        Raises:
          SweepError: no trial is COMPLETE yet.
        """
        from sweep.trainable.config import TrialConfig

        return TrialConfig.from_dict(self._best_trial.config)

    def best_model(self) -> "nn.Module":
        """Returns the model of the best trial at its best epoch, on the CPU and in evaluation mode.

        Returns:
          A module from (N, 3, H, W) uint8 RGB pixels of the image size of the sweep to (N, classes) float32 logits. It
          normalises the pixels itself. Any other input, such as floats from 0 to 1 or images of another size, is
          refused with an `analysis.outputs.trained.ImageError`, which says what to do.

        Raises:
          SweepError: no trial is COMPLETE yet, or its weights are missing or damaged.
        """
        from torch import Tensor

        from sweep.analysis.outputs.trained import check_images, trained

        best = trained(self.record, self._best_trial)
        model = best.module_on("cpu")
        # The check is a hook, so that the structure of the module and the names of its weights stay the same.
        model.register_forward_pre_hook(
            lambda _, args, kwargs: check_images(next(iter((*args, *kwargs.values())), None), best.image_size, Tensor),
            with_kwargs=True,
        )
        return model

    @property
    def _best_trial(self) -> "TrialRecord":
        from sweep.storage.errors import SweepError

        best = self.record.best
        if best is None:
            raise SweepError(f"{self.record.folder}: no trial is COMPLETE yet; read it again later")
        return best


def read_sweep(folder: str | PathLike[str]) -> Sweep:
    """Reads a sweep.

    Args:
      folder: the folder of the sweep, or its address in a bucket, which is then copied to this machine.

    Raises:
      SweepError: the folder holds no sweep.
      DamagedError: its `sweep.json` is damaged.
      ValueError: the address is not one of a known kind of bucket.
      OSError: the bucket cannot be read.
    """
    from sweep.analysis.record import Record
    from sweep.storage.bucket import open_place
    from sweep.storage.store import store_of

    path = open_place(fspath(folder))
    store_of(path).fetch(path)
    return Sweep(Record(path))
