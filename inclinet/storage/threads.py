"""Work in threads: results in order, a few of them ahead of their use."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from os import cpu_count
from typing import TypeVar

__all__ = ["in_threads"]

T = TypeVar("T")
R = TypeVar("R")

_AHEAD = 2  # results for each thread that wait to be used


def in_threads(function: Callable[[T], R], items: Iterable[T], workers: int | None = None) -> Iterator[R]:
    """Yield `function(item)` for every item, in order; memory does not grow with their number.

    An error of one item is raised when its turn comes; those that have not begun then are given up.

    Parameters
    ----------
    function : callable
        It should spend its time in libraries that release the interpreter lock.
    items : iterable
        Taken a few ahead of the results.
    workers : int or None
        Threads; None takes one per core.
    """
    workers = workers or cpu_count() or 1
    pending: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > _AHEAD * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
