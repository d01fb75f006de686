"""Connects the processes of a trial with torch.distributed, on this machine only."""

import os
import socket
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import torch.distributed as dist

from sweep.trainable.worker.report import Failure

FOR_EVER = timedelta(days=365)  # a process waits for another as long as that one runs; `Team` watches this


class ProcessLost(RuntimeError):
    """Another process of the trial ended without saying why, for example because it was killed."""


class ProcessFailed(RuntimeError):
    """Another process of the trial was ended by an error that this process does not have.

    Attributes:
      failure: the failure of the trial that the error causes.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"another process of the trial: {failure.message}")
        self.failure = failure


def backend(device: str) -> str:
    """Returns torch's name for the library that connects the processes: NCCL between GPUs, gloo between CPUs."""
    return "gloo" if device == "cpu" else "cpu:gloo,cuda:nccl"


def connect(name: str, store: Path, rank: int, size: int) -> None:
    """Connects this process with the others; returns once all of them have called it.

    Args:
      name: the name that `backend` returned.
      store: a file that they share; it must not exist before.
    """
    _stay_on_this_machine()
    dist.init_process_group(name, store=dist.FileStore(f"{store}", size), rank=rank, world_size=size, timeout=FOR_EVER)


def disconnect() -> None:
    """Ends the connection to the other processes, whatever state they are in."""
    if dist.is_initialized():
        with suppress(RuntimeError):
            dist.destroy_process_group()


def abort() -> None:
    """Breaks off operations that wait on a GPU for another process, because a GPU does not notice its loss."""
    group = dist.group.WORLD
    if group is not None and "nccl" in dist.get_backend_config(group):
        with suppress(RuntimeError):
            group.abort()


def _stay_on_this_machine() -> None:
    """Makes the processes talk over the loopback interface, because that of the host name may have no address."""
    loopback = next((name for _, name in socket.if_nameindex() if name.startswith("lo")), None)
    if loopback:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback)
        os.environ.setdefault("NCCL_SOCKET_IFNAME", loopback)
