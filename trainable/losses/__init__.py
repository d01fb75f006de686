"""The losses that a trial may minimise; `Loss` in `contract.py` is the contract that all of them follow.

To add a loss, add its file here and its `LOSS` to the tuple. Nothing here imports torch, so a config is quick to read.
A trial is judged by its metric and by plain cross entropy on the validation images, whatever loss it trains with.
"""

from sweep.trainable.losses import cross_entropy, focal, logit_adjusted

LOSSES = {loss.name: loss for loss in (cross_entropy.LOSS, focal.LOSS, logit_adjusted.LOSS)}
DEFAULT = cross_entropy.LOSS.name
