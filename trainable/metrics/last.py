"""The last epoch, for trials that train on their validation images: no epoch is chosen, and no value can be shown."""

from sweep.trainable.metrics.contract import Metric

METRIC = Metric("last", words="last epoch", short="", one="", value=None, field="epoch")
