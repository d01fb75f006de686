"""Writes what is kept of an ended trial that trained a net for each fold, into its folder `trials/NUMBER/`.

The files have the names and shapes of those of any trial, over all labelled images; what is kept for an image comes
from the net that never saw it.
"""

from pathlib import Path

import numpy as np

from sweep.search.runtime.trial_files import read_result, write_history
from sweep.storage import paths
from sweep.storage.files import save_array
from sweep.storage.store import store_of
from sweep.trainable.worker.report import Report


def keep_folds(folder: Path, up_to_attempt: int, steps: int, folds: int, with_weights: bool) -> bool:
    """Writes what is kept of a trial with so many finished folds; returns False if the net of one of them is missing.

    `history.json` has the epochs of one fold after the other. If all folds are finished there are also
    `valid_logits.npy`, (N, classes) float32: each image's logits by the net of its fold at that net's best epoch;
    `valid_classes.npy`, (epochs, N): the class that each image got after each epoch of its fold; and, if
    `with_weights`, `best.safetensors` with all nets.

    Args:
      up_to_attempt: the last attempt whose files count.
      steps: the number of finished folds.
      folds: the number of all folds.
    """
    from sweep.storage.tensors import save_weights  # imports torch, which takes 2 s and must not delay the first trial
    from sweep.trainable.checkpoint import read_finished
    from sweep.trainable.models.mean_of_nets import PREFIX

    store_of(folder).fetch(folder)
    nets_by_fold = read_finished(folder, up_to_attempt)
    if not nets_by_fold.keys() >= set(range(1, steps + 1)):
        return False
    nets = [nets_by_fold[fold] for fold in range(1, steps + 1)]
    write_history(folder, [metrics for net in nets for metrics in net.history])
    if steps < folds:
        return True
    rows = np.concatenate([net.rows for net in nets if net.rows is not None])
    order = np.argsort(rows)
    if not np.array_equal(rows[order], np.arange(len(rows))):
        return False
    save_array(folder / paths.VALID_CLASSES, np.concatenate([net.valid_classes for net in nets], axis=1)[:, order])
    save_array(folder / paths.VALID_LOGITS, np.concatenate([net.valid_logits for net in nets])[order])
    if with_weights:
        tensors = {
            PREFIX.format(fold) + name: tensor
            for fold, net in enumerate(nets, start=1)
            for name, tensor in net.best.items()
        }
        save_weights(folder / paths.WEIGHTS, tensors, nets[0].config, epoch=0)  # 0: each net has another best epoch
    return True


def written_report_of_folds(folder: Path, attempt: int) -> Report:
    """Returns what an attempt has written: its result, or else the epochs of the folds that are finished."""
    if (result := read_result(paths.attempt_folder(folder, attempt) / paths.RESULT, attempt)) is not None:
        return result
    from sweep.trainable.checkpoint import read_finished  # imports torch

    nets = read_finished(folder, attempt)
    return Report(attempt, [metrics for net in nets.values() for metrics in net.history])
