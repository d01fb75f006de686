"""A net with one hidden layer on the features of a frozen net.

Its single epoch is a whole training: `PASSES` passes over the features with AdamW, at the config's schedule. The
features are the same in every pass, so only mixing and dropout keep the net from learning them by heart.
"""

from typing import TYPE_CHECKING, Any

from sweep.trainable.models.family import Config, Net
from sweep.trainable.models.head_family import head_family

if TYPE_CHECKING:
    from torch import Tensor

    from sweep.trainable.features.matrix import Features

PASSES = 30


def last_part(config: Config, features: int, classes: int) -> Net:
    """Builds the hidden layer and the last layer, from features to logits."""
    from torch import nn

    assert config.hidden is not None
    first, second = nn.Linear(features, config.hidden), nn.Linear(config.hidden, classes)
    return nn.Sequential(first, nn.ReLU(), nn.Dropout(config.dropout or 0.0), second)


def fit(config: Config, net: Any, features: "Features", labels: "Tensor") -> float:
    """Trains the net on features with their (N,) int64 labels, and returns the mean training loss of the last pass.

    The order and the mixing follow from the config's seed; dropout draws from torch's global generator, which the
    caller has seeded.
    """
    import torch
    from torch.nn import functional as F

    from sweep.trainable.objective import Objective
    from sweep.trainable.optim import lr_at, set_lr
    from sweep.trainable.sampling import Sampling
    from sweep.trainable.torch_changes import uncompiled

    device = labels.device
    generator = torch.Generator().manual_seed(config.seed)
    classes = net[-1].out_features
    sampling = Sampling(labels.cpu(), classes, config.balanced)
    objective = Objective(config, sampling, device)
    group = {"params": list(net.parameters()), "factor": 1.0}
    optimizer = uncompiled(torch.optim.AdamW)([group], config.lr, weight_decay=config.weight_decay, fused=True)
    steps, steps_done, loss_sum = PASSES * -(-features.count // config.batch_size), 0, torch.zeros((), device=device)
    net.train()
    for _ in range(PASSES):
        loss_sum.zero_()
        for rows in sampling.order(generator).split(config.batch_size):
            batch, truth = features.take(rows), F.one_hot(labels[rows.to(device)], classes).float()
            draw, share = torch.rand(2, generator=generator).tolist()
            if draw < (config.feature_mixup or 0):
                partners = torch.randperm(len(rows), generator=generator).to(device)
                batch = share * batch + (1 - share) * batch[partners]
                truth = share * truth + (1 - share) * truth[partners]
            set_lr(optimizer, lr_at(config, steps_done, steps))
            loss = objective(net(batch), truth)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss_sum += loss.detach() * len(rows)
            steps_done += 1
    return float(loss_sum) / features.count


FAMILY = head_family("mlp_head", {"hidden": 256}, last_part, fit, optional=frozenset({"feature_mixup", "dropout"}))
