"""The last epoch, for trials that train on their validation images: none is chosen, and none has a value to show."""

from sweep.trainable.metrics.contract import Metric

METRIC = Metric("last", words="last epoch", short="", one="", value=None, field="epoch")
