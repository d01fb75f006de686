"""Work that threads do ahead of whoever takes its results."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

G = TypeVar("G")
R = TypeVar("R")


def in_threads(work: Callable[[G], R], given: Iterable[G], threads: int, ahead: int) -> Generator[R, None, None]:
    """Yields the results of some work in the order in which it is given.

    Args:
      ahead: so many results, at most, are made or being made before they are asked for. They bound the memory, and what
        an interruption waits for.
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
    finally:  # also where whoever takes the results stops halfway
        pool.shutdown(wait=True, cancel_futures=True)
