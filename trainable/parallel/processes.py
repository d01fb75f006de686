"""How the processes of a trial find each other: torch.distributed over this machine alone."""

import os
import socket
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import torch.distributed as dist

from sweep.trainable.worker.report import Failure

FOR_EVER = timedelta(days=365)  # one process may wait for another as long as that one runs, which `Team` watches


class ProcessLost(RuntimeError):
    """Another process of the trial came to an end that it could say nothing of: it was killed, for example."""


class ProcessFailed(RuntimeError):
    """An error ended another process of the trial, which this one has not met.

    Attributes:
      failure: what that is for the trial.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"another process of the trial: {failure.message}")
        self.failure = failure


def backend(device: str) -> str:
    """Returns torch's name of what sends tensors between the processes: NCCL between GPUs, gloo between CPUs."""
    return "gloo" if device == "cpu" else "cpu:gloo,cuda:nccl"


def connect(name: str, store: Path, rank: int, size: int) -> None:
    """Returns once all processes have called it.

    Args:
      name: what `backend` returned.
      store: a file that they share, which none of them has made.
    """
    _stay_on_this_machine()
    dist.init_process_group(name, store=dist.FileStore(f"{store}", size), rank=rank, world_size=size, timeout=FOR_EVER)


def disconnect() -> None:
    """Forgets the other processes, whatever has become of them."""
    if dist.is_initialized():
        with suppress(RuntimeError):
            dist.destroy_process_group()


def abort() -> None:
    """Breaks off what waits for another process on a GPU, where nothing would notice that it is gone."""
    group = dist.group.WORLD
    if group is not None and "nccl" in dist.get_backend_config(group):
        with suppress(RuntimeError):
            group.abort()


def _stay_on_this_machine() -> None:
    """Otherwise they would talk over the interface of the machine's name, which may have no address."""
    loopback = next((name for _, name in socket.if_nameindex() if name.startswith("lo")), None)
    if loopback:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback)
        os.environ.setdefault("NCCL_SOCKET_IFNAME", loopback)
