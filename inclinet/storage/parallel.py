"""Work in threads or processes: results in order, a few of them ahead of their use."""

import atexit
import os
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from multiprocessing import current_process
from typing import TypeVar

from inclinet.errors import InclinetError

__all__ = ["MANY", "in_processes", "in_threads"]

MANY = 100
"""Images from which on processes save more time than they take to start."""

T = TypeVar("T")
R = TypeVar("R")

_AHEAD = 2  # items for each worker that are worked on or wait to be used
_IDLE_SECONDS = 10  # after which a process ends; if the one that it works for was killed, 30 s later
_MOST_PROCESSES = 32  # 100 MB each

_opening = threading.Lock()
_pools: dict[int, Executor] = {}  # by the id of the process that they work for


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
    workers = workers or os.cpu_count() or 1
    pool = ThreadPoolExecutor(workers)
    try:
        yield from _in_order(pool.submit, function, items, ahead or _AHEAD * workers)
    finally:
        pool.shutdown(cancel_futures=True)


def in_processes(
    function: Callable[[T], R], items: Iterable[T], workers: int | None = None, ahead: int | None = None
) -> Iterator[R]:
    """Do as `in_threads` does, in processes: for what holds the interpreter lock, or releases it for moments only.

    All callers share the same processes, which take half a second to start. On a single core there are threads instead,
    and in the processes of a `multiprocessing.Pool`, which may have none.

    Parameters
    ----------
    function : callable
        It can be pickled, as items and results can, and lies in a module that imports no more than it needs.
    items : iterable
        Taken a few ahead of the results.
    workers : int or None
        How many are worked on at a time; None takes one per core.
    ahead : int or None
        As for `in_threads`.

    Raises
    ------
    InclinetError
        When a process was killed.
    """
    # It imports fast, but most commands need none of it.
    import loky

    cores = min(loky.cpu_count(), _MOST_PROCESSES)
    workers = min(workers or cores, cores)
    if workers == 1 or current_process().daemon:
        yield from in_threads(function, items, workers, ahead)
        return
    try:
        yield from _in_order(_pool(cores).submit, function, items, ahead or _AHEAD * workers)
    except loky.BrokenProcessPool as error:
        _pools.pop(os.getpid(), None)
        raise InclinetError(
            "a process that worked on a part was killed, as the system does when memory runs out; run it again, "
            f"beside less ({error})"
        ) from error


def _pool(cores: int) -> Executor:
    """Return the processes that work for this one; after a fork, those of its parent are not its own.

    loky's reusable executor would be another for each thread.
    """
    import loky

    # Processes end when they have been idle, and are started again if work comes just then: nothing is lost.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
    with _opening:
        if os.getpid() not in _pools:
            atexit.register(_pools.clear)  # later, loky could not end them without an error message
            _pools[os.getpid()] = loky.ProcessPoolExecutor(cores, timeout=_IDLE_SECONDS, initializer=_start)
        return _pools[os.getpid()]


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
