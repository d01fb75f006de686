"""A table of learning curves: which validation images configs had right at each epoch, and how long it took them.

    table = read(TABLES / "tiny.safetensors")
    table.curves[0].accuracies      # by epoch
    table.curves[0].right           # (epochs, images) bool

A file has no ids, labels or pictures: for each validation image it only says whether a net was right. The images are in
a shuffled order, which is the same for all curves of a table, so that curves can be compared image by image. Nothing in
the file is a pickle.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sweep.storage.files import DamagedError
from sweep.storage.sweep_file import Values
from sweep.storage.tensors import read_tensors, save_tensors

TABLES = Path(__file__).parent / "tables"
SUFFIX = ".safetensors"


@dataclass(frozen=True)
class About:
    """The description of a table, which all of its curves share.

    Attributes:
      name: the name of the table.
      data: the name of the data set's file.
      fingerprint: the fingerprint of the images and labels, by `datasets.fingerprint`.
      train_images, valid_images, classes: their numbers.
      image_size: the height and width in px.
      space: the name and number of the published space from which the configs were drawn.
      fixed: the values that were taken out of the space, as by --fix.
      backbones: the pretrained nets for which the space was made.
      ranges: for each parameter of the space its distributions, nearly always one, in Optuna's JSON form.
      seed: the seed of the draws, the trainings, and the order of the validation images.
      rows: the number of curves in the whole table; after an interrupted recording, the table has the first of them.
      conditions: for each run of the recorder the command, commit, machine and versions of the libraries.
    """

    name: str
    data: str
    fingerprint: str
    train_images: int
    valid_images: int
    classes: int
    image_size: tuple[int, int]
    space: tuple[str, int]
    fixed: Values
    backbones: tuple[str, ...]
    ranges: dict[str, list[str]]
    seed: int
    rows: int
    conditions: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Curve:
    """One config, trained to its last epoch or until it diverged.

    Attributes:
      draw: the number of the draw, from 0, which decides the parameters.
      repeat: 0 for the first training of this draw; 1, 2, ... for further ones, which have other seeds.
      params: the drawn values, by the names of the space's parameters.
      config: the result of `TrialConfig.to_dict()`.
      right: (epochs, images) bool, whether the net was right.
      losses: (epochs,) float32, the cross entropy of the validation images.
      seconds: (epochs,) float32, the processor time of the process, which has one thread, to train and validate each
        epoch; there is one more if the next epoch diverged. Loading the data, building the net, and computing frozen
        features or maps, which trials share, are not included.
    """

    draw: int
    repeat: int
    params: Values
    config: Values
    right: np.ndarray
    losses: np.ndarray
    seconds: np.ndarray

    @property
    def accuracies(self) -> np.ndarray:
        """The validation accuracy after each epoch, (epochs,) float64 in [0, 1]."""
        means: np.ndarray = self.right.mean(axis=1)
        return means

    @property
    def has_diverged(self) -> bool:
        """Whether the training diverged before its last epoch."""
        return len(self.right) < self.config["epochs"]


@dataclass(frozen=True, eq=False)
class Table:
    """Learning curves in the order of their draws, so that the first ones are always a uniform sample of the space."""

    about: About
    curves: tuple[Curve, ...]


def write(path: Path, table: Table) -> None:
    """Writes a table; after a crash the old file or the new one is there.

    Raises:
      OSError: the disk is full or fails.
    """
    images, curves = table.about.valid_images, table.curves
    rights = np.concatenate([np.empty((0, images), bool), *(curve.right for curve in curves)])
    tensors = {
        "right": torch.tensor(np.packbits(rights, axis=1)),
        "losses": _concatenate([curve.losses for curve in curves]),
        "seconds": _concatenate([curve.seconds for curve in curves]),
    }
    rows = [
        dict(
            **dict(draw=curve.draw, repeat=curve.repeat, epochs=len(curve.right), timed=len(curve.seconds)),
            **dict(params=curve.params, config=curve.config),
        )
        for curve in curves
    ]
    save_tensors(path, tensors, {"about": json.dumps(asdict(table.about)), "rows": json.dumps(rows)})


def read(path: Path) -> Table:
    """Reads a table.

    Raises:
      FileNotFoundError: the file is missing.
      DamagedError: the file is not bit for bit as `write` wrote it.
    """
    metadata, tensors = read_tensors(path)
    try:
        about, rows = _parse_about(json.loads(metadata["about"])), json.loads(metadata["rows"])
        packed_bits, losses, seconds = (tensors[name].numpy() for name in ("right", "losses", "seconds"))
        bits = np.unpackbits(packed_bits, axis=1, count=about.valid_images).astype(bool)
        epoch_starts, second_starts = (np.cumsum([0] + [row.pop(name) for row in rows]) for name in ("epochs", "timed"))
        if (len(bits), len(losses), len(seconds)) != (epoch_starts[-1], epoch_starts[-1], second_starts[-1]):
            raise ValueError("its rows have other epochs than its arrays")
        curves = tuple(
            Curve(
                **row,
                right=bits[epoch_starts[number] : epoch_starts[number + 1]],
                losses=losses[epoch_starts[number] : epoch_starts[number + 1]].copy(),
                seconds=seconds[second_starts[number] : second_starts[number + 1]].copy(),
            )
            for number, row in enumerate(rows)
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedError(path, f"is no table of learning curves: {error}", "record it again") from error
    return Table(about, curves)


def _parse_about(values: dict[str, Any]) -> About:
    tuple_names = {field.name for field in fields(About) if str(field.type).startswith("tuple")}
    arguments: dict[str, Any] = {name: tuple(value) if name in tuple_names else value for name, value in values.items()}
    return About(**arguments)


def _concatenate(arrays: Sequence[np.ndarray]) -> torch.Tensor:
    return torch.tensor(np.concatenate([np.empty(0, np.float32), *arrays]), dtype=torch.float32)
