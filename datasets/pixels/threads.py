"""Runs work in threads, ahead of the code that takes the results."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

G = TypeVar("G")
R = TypeVar("R")


def in_threads(work: Callable[[G], R], items: Iterable[G], threads: int, ahead: int) -> Generator[R, None, None]:
    """Yields `work(item)` for each item, in the order of the items.

    Args:
      work: called in a thread with one item.
      items: taken only as fast as the results are.
      threads: number of threads.
      ahead: how many results may be finished or being computed before they are asked for. This bounds the memory, and
        how long an interruption takes.
    """
    futures: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for item in items:
            futures.append(pool.submit(work, item))
            if len(futures) >= ahead:
                yield futures.popleft().result()
        while futures:
            yield futures.popleft().result()
    finally:  # also runs if the caller stops before the last result
        pool.shutdown(wait=True, cancel_futures=True)
