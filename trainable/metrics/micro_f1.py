"""Micro F1: the F1 score over all answers together, which equals the accuracy if each image has one class."""

from dataclasses import replace

from sweep.trainable.metrics import accuracy
from sweep.trainable.metrics.history import OWN_FIELD

METRIC = replace(
    accuracy.METRIC,
    name="micro_f1",
    words="validation micro F1",
    short="micro F1",
    one="a micro F1",
    field=OWN_FIELD,
)
