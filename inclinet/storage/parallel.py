"""Work in threads or processes: results in order, a few of them ahead of their use."""

import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from os import cpu_count
from typing import TypeVar

from inclinet.errors import InclinetError

__all__ = ["MANY", "in_processes", "in_threads"]

MANY = 100
"""Images from which on processes save more time than they take to start."""

T = TypeVar("T")
R = TypeVar("R")

_AHEAD = 2  # items for each thread that are worked on or wait to be used
_AHEAD_OF_PROCESSES = 8  # more: a result of a megabyte takes a while to arrive
_IDLE_SECONDS = 10  # after which a process ends; if the one that it works for was killed, 30 s later
_MOST_PROCESSES = 32  # 100 MB each


def in_threads(
    function: Callable[[T], R], items: Iterable[T], workers: int | None = None, ahead: int | None = None
) -> Iterator[R]:
    """Yield `function(item)` for every item, in order; memory does not grow with their number.

    An error of one item is raised when its turn comes; those that have not begun then are given up.

    Parameters
    ----------
    function : callable
        It should spend its time in libraries that release the interpreter lock, much of it at a time.
    items : iterable
        Taken a few ahead of the results.
    workers : int or None
        Threads; None takes one per core.
    ahead : int or None
        Items that may be worked on or wait to be used; None takes twice as many as threads.
    """
    workers = workers or cpu_count() or 1
    pool = ThreadPoolExecutor(workers)
    try:
        yield from _in_order(pool.submit, function, items, ahead or _AHEAD * workers)
    finally:
        pool.shutdown(cancel_futures=True)


def in_processes(
    function: Callable[[T], R], items: Iterable[T], workers: int | None = None, ahead: int | None = None
) -> Iterator[R]:
    """Do as `in_threads` does, in processes: for what holds the interpreter lock, or releases it for moments only.

    All callers share the same processes, which take half a second to start. On a single core there are threads instead.

    Parameters
    ----------
    function : callable
        It can be pickled, as items and results can, and lies in a module that imports no more than it needs.
    items : iterable
        Taken a few ahead of the results.
    workers : int or None
        How many are worked on at a time; None takes one per core.
    ahead : int or None
        Items that may be worked on or wait to be used; None takes eight times as many as processes.

    Raises
    ------
    InclinetError
        When a process was killed.
    """
    # It imports fast, but most commands need none of it.
    import loky

    cores = min(loky.cpu_count(), _MOST_PROCESSES)
    workers = min(workers or cores, cores)
    if workers == 1:
        yield from in_threads(function, items, 1, ahead)
        return
    # Processes end when they have been idle, and are started again if work comes just then: nothing is lost.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
    pool = loky.get_reusable_executor(cores, timeout=_IDLE_SECONDS, initializer=_start)
    try:
        yield from _in_order(pool.submit, function, items, ahead or _AHEAD_OF_PROCESSES * workers)
    except loky.BrokenProcessPool as error:
        raise InclinetError(
            "a process that worked on a part was killed, as the system does when memory runs out; run it again, "
            f"beside less ({error})"
        ) from error


def _start() -> None:
    """Prepare a process: it has a core of its own, not all of them."""
    import cv2

    cv2.setNumThreads(1)


def _in_order(
    submit: Callable[[Callable[[T], R], T], Future[R]], function: Callable[[T], R], items: Iterable[T], ahead: int
) -> Iterator[R]:
    pending: deque[Future[R]] = deque()
    try:
        for item in items:
            pending.append(submit(function, item))
            if len(pending) > ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()
