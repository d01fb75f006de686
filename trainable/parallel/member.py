"""A process that trains a trial together with the worker that started it.

    python -m sweep.trainable.parallel.member MESSAGES LIFE    # two files that the worker has opened

The worker sends its messages through the first file. Nothing is ever written to the second: it closes when the worker
ends, in whatever way, and then this process ends too. Otherwise the processes of a killed worker would keep their GPUs.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection

import cv2
import torch

from sweep.storage import user_code
from sweep.storage.store import store_of
from sweep.trainable import allocator, loop, weights
from sweep.trainable.parallel import processes
from sweep.trainable.parallel.group import Group
from sweep.trainable.parallel.message import Epoch, Net, Ready, Setting
from sweep.trainable.worker.failures import failure_of


def main() -> None:
    """Carries out the worker's messages until the worker ends."""
    messages, life = (int(word) for word in sys.argv[1:])
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):  # these are meant for the driver
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(life,), daemon=True).start()
    with suppress(EOFError):
        _work(Connection(messages))


def _end_with(life: int) -> None:
    """Ends this process once the file closes, which is when the worker ends."""
    os.read(life, 1)
    os._exit(1)


def _work(worker: Connection) -> None:
    """Trains as the worker's messages ask.

    Raises:
      EOFError: the worker is gone.
    """
    setting = worker.recv()
    assert isinstance(setting, Setting)
    allocator.keep_freed_memory()
    torch.set_num_threads(setting.threads)
    cv2.setNumThreads(0)
    if setting.device != "cpu":
        torch.cuda.set_device(setting.device)
    user_code.remember(setting.sources)
    weights.remember(setting.weights_table)
    data = setting.data
    worker.send(Ready())
    processes.connect(setting.backend, setting.store, setting.rank, setting.size)
    group = Group(setting.rank, setting.size)
    epochs: Iterator[object] = iter(())
    try:
        while True:
            message = worker.recv()
            if isinstance(message, Epoch):
                with suppress(loop.Diverged):  # the first process meets the same error and reports it
                    next(epochs)
                continue
            assert isinstance(message, Net)
            del epochs  # this frees the memory of the previous net
            allocator.give_back_freed_memory()
            torch.cuda.empty_cache()
            net = data if message.fold is None else data.fold(message.fold)
            epochs = loop.train(message.config, net, message.state(net, setting.device), group)
    except EOFError:
        raise
    except Exception as error:
        worker.send(failure_of(error, store_of(setting.store)))


if __name__ == "__main__":
    main()
