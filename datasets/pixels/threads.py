"""Runs work in threads, ahead of the code that takes the results."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

G = TypeVar("G")
R = TypeVar("R")


def in_threads(work: Callable[[G], R], given: Iterable[G], threads: int, ahead: int) -> Generator[R, None, None]:
    """Yields the results of `work` on each of `given`, in the order of `given`.

    Args:
      work: called in a thread with one of `given`.
      given: taken only as fast as the results are.
      threads: number of threads.
      ahead: how many results may be finished or under way before they are asked for. This bounds the memory, and how
        long an interruption takes.
    """
    waiting: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for each in given:
            waiting.append(pool.submit(work, each))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:  # also runs if the caller stops before the last result
        pool.shutdown(wait=True, cancel_futures=True)
