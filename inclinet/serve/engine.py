"""The networks at work behind the server: so many requests at a time as there are cores, the others wait."""

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version as installed_version
from typing import TypeVar

import numpy as np

from inclinet.data.bands import COLOUR_LETTER
from inclinet.data.images import BadImageError
from inclinet.errors import InclinetError
from inclinet.prediction.galaxies import by_galaxy
from inclinet.prediction.predictor import Predictor, open_predictor
from inclinet.prediction.source import Source
from inclinet.registry.choice import Choice
from inclinet.serve.answers import Answer, Answers, Version, make_answers
from inclinet.serve.metrics import Metrics
from inclinet.serve.pictures import Picture, make_picture
from inclinet.serve.settings import Serve

__all__ = ["BusyError", "Engine"]

T = TypeVar("T")

_MOST_WAITING = 100  # requests
_MOST_PICTURES = 40  # in one answer
_NAMED = 3  # reasons in an error


class BusyError(Exception):
    """So many requests wait that another one would wait for too long."""


class Engine:
    """A version of the networks, loaded, and the threads that it works in.

    Parameters
    ----------
    choice : Choice
        The version that predicts.
    settings : Serve
    metrics : Metrics
    labelling : bool
        Whether people can label galaxies here.
    """

    def __init__(self, choice: Choice, settings: Serve, metrics: Metrics, *, labelling: bool = False) -> None:
        self.predictor: Predictor = open_predictor(choice)
        self.version = Version(
            version=self.predictor.version,
            about=self.predictor.statement,
            for_science=choice.is_for_science,
            networks=list(self.predictor.networks),
            inclinet=installed_version("inclinet"),
            labelling=labelling,
        )
        self._metrics = metrics
        self._threads = ThreadPoolExecutor(settings.parallel or os.cpu_count() or 1, "predict")
        # One at a time: image servers want few requests, and astropy's settings are those of the whole process.
        self._fetching = ThreadPoolExecutor(1, "fetch")
        self._waiting = 0
        # The first prediction is slower than those that follow.
        size = self.predictor.size
        self.predictor.predict_pixels(np.zeros((1, size, size, 3), np.uint8), np.ones(1, bool))

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(cancel_futures=True)
        self._fetching.shutdown(cancel_futures=True)

    async def run(self, work: Callable[[], T]) -> T:
        """Return what `work` returns, computed in one of the threads.

        Raises
        ------
        BusyError
            When too many requests wait already.
        """
        return await self._run(self._threads, work)

    async def fetch(self, work: Callable[[], T]) -> T:
        """Return what `work`, which asks image servers, returns; errors are those of `run`."""
        return await self._run(self._fetching, work)

    async def _run(self, threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        if self._waiting >= _MOST_WAITING:
            raise BusyError
        self._waiting += 1
        self._metrics.waiting.inc()
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, work)
        finally:
            self._waiting -= 1
            self._metrics.waiting.dec()

    def answer(self, sources: Sequence[Source], *, pictures: bool) -> Answers:
        """Return the answers for some images.

        Raises
        ------
        InclinetError
            When there is no answer for any of them, with the reasons.
        """
        table = self.predictor.predict(sources, per_image=True, workers=1)
        refused = int((table["problem"] != "").sum())
        self._metrics.images.labels("refused").inc(refused)
        self._metrics.images.labels("predicted").inc(len(table) - refused)
        galaxies = by_galaxy(table, self.predictor.calibration)
        answers = make_answers(galaxies, _pictures_of(sources) if pictures else {})
        if refused == len(table):
            raise InclinetError(_reasons(answers))
        return Answers(version=self.version, answers=answers)


def _pictures_of(sources: Sequence[Source]) -> dict[str, Picture]:
    """Return the picture of the first image of each galaxy, in colour if there is one, by the name of the image."""
    first: dict[object, Source] = {}
    for one in sources:
        key = (one.row, one.pgc or one.galaxy) if one.row or one.galaxy else one.name
        if one.content and (key not in first or (one.band == COLOUR_LETTER and first[key].band != COLOUR_LETTER)):
            first[key] = one
    pictures = {}
    for one in list(first.values())[:_MOST_PICTURES]:
        try:
            pictures[one.name] = make_picture(one.name, one.content or b"")
        except BadImageError:  # its answer says why
            continue
    return pictures


def _reasons(answers: Sequence[Answer]) -> str:
    """Return why there is no answer for any galaxy."""
    reasons = [f"{one.title}: {one.problem}" for one in answers[:_NAMED]]
    more = len(answers) - _NAMED
    return "; ".join([*reasons, *([f"and {more} more"] if more > 0 else [])])
