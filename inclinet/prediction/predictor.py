"""Predict inclinations, with error bars and flags, with the networks of a published version."""

import logging
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd

from inclinet.data.bands import COLOUR_LETTER, is_colour
from inclinet.data.columns import network_name, spread_column
from inclinet.data.images import BadImageError
from inclinet.evaluation.calibration import ESTIMATES, Calibration, combine, widen
from inclinet.evaluation.filenames import CALIBRATION_FILE, NOVELTY_FILE
from inclinet.evaluation.flags import NEARLY_FACE_ON, UNLIKE, is_nearly_face_on
from inclinet.evaluation.novelty import Novelty
from inclinet.geometry.framing import load_frames
from inclinet.geometry.shape import LARGER, Shape
from inclinet.networks.filenames import parse_network
from inclinet.networks.infer import predict_images
from inclinet.networks.load import load_network
from inclinet.prediction.flags import SHAPE, add_shapes
from inclinet.prediction.galaxies import by_galaxy
from inclinet.prediction.objects import Given, find_given
from inclinet.prediction.source import Source, printable
from inclinet.progress import Track, silent
from inclinet.records import read_record
from inclinet.registry.choice import Choice, choose
from inclinet.storage.parallel import MANY, in_processes, in_threads
from inclinet.storage.store import Store

__all__ = ["Predictor", "open_predictor"]

logger = logging.getLogger(__name__)

_CHUNK = 256  # images predicted at a time
_AHEAD = 64  # images that are read meanwhile
_GUESSED_GRAY = "r"
_Loaded = tuple[np.ndarray | str, Shape | None]


class Predictor:
    """The networks of a published version, loaded and ready to predict.

    `Predictor.open` finds and loads a version; the constructor takes one that is found.

    Parameters
    ----------
    choice : Choice

    Raises
    ------
    InclinetError
        When a network cannot be loaded.

    Attributes
    ----------
    version : str
    statement : str
        One line: which version it is, what it was trained on, its tested error, and why it is not for science if it is
        not.
    size : int
        Pixels a side of the images that the networks take.
    networks : dict of str to Network
        By name, `<model>_<subsample>`.
    calibration : Calibration or None
        None if the version has no error bars.
    novelty : Novelty or None
        None if the version cannot tell unusual images.

    Examples
    --------
    >>> predictor = Predictor.open("s3://bucket/prefix")  # doctest: +SKIP
    >>> table = predictor.predict("galaxies/")  # doctest: +SKIP
    """

    def __init__(self, choice: Choice) -> None:
        published, folder = choice.published, choice.fetch()
        self.version, self.size = published.version, published.info.size
        self.framing, bands = published.info.framing, published.info.bands
        self._trained_on = any(map(is_colour, bands)), not all(map(is_colour, bands))
        self.statement = choice.statement
        self._is_for_science = choice.is_for_science
        self.networks = {}
        for file in published.networks:
            if parsed := parse_network(file):
                self.networks[network_name(*parsed)] = load_network(folder / file)
        self.calibration = read_record(Calibration, folder / CALIBRATION_FILE)
        self.novelty = read_record(Novelty, folder / NOVELTY_FILE)

    @staticmethod
    def open(store: Store | str | None = None, version: str | None = None) -> "Predictor":
        """Return a published version, ready to predict, and log its statement; one that was opened before is reused.

        Parameters
        ----------
        store : Store or str, optional
        version : str, optional
            As for `inclinet.registry.choice.choose`, which says what they are by default.

        Raises
        ------
        InclinetError
            When there is no such version.
        """
        predictor = open_predictor(store, version)
        logger.log(logging.INFO if predictor._is_for_science else logging.WARNING, "%s", predictor.statement)
        return predictor

    def __repr__(self) -> str:
        """Return version and networks."""
        return f"<Predictor of version {self.version}: {', '.join(self.networks)}, {self.size} pixels>"

    def predict_pixels(self, images: np.ndarray, colour: np.ndarray) -> pd.DataFrame:
        """Predict downsampled images.

        Parameters
        ----------
        images : ndarray of uint8, shape (N, size, size, 3) or (N, frames, size, size, 3)
            Several frames of a galaxy are seen as `inclinet.networks.infer.predict_images` says.
        colour : ndarray of bool, shape (N,)
            Which ones are colour images.

        Returns
        -------
        DataFrame
            One row per image: `inclination`, `error`, `low68`, `high68`, `low95`, `high95` and one column for each
            network, in deg; `flag`, a list of keys of `FLAGS`.
        """
        answers = {name: predict_images(network, images) for name, network in self.networks.items()}
        each = pd.DataFrame({name: mean for name, (mean, _) in answers.items()})
        spreads = {spread_column(name): spread for name, (_, spread) in answers.items()}
        table = self._estimates(each.assign(**spreads)).join(each).round(2)
        table["flag"] = self._flags(table, images if images.ndim == 4 else images[:, 0], colour)
        return table

    def _estimates(self, answers: pd.DataFrame) -> pd.DataFrame:
        if self.calibration is None:
            return combine(answers).reindex(columns=ESTIMATES)
        return self.calibration.estimate(answers)

    def _flags(self, table: pd.DataFrame, images: np.ndarray, colour: np.ndarray) -> list[list[str]]:
        flagged = {
            NEARLY_FACE_ON: is_nearly_face_on(table).to_numpy(),
            UNLIKE: self.novelty.is_unlike(images, colour) if self.novelty else np.zeros(len(images), bool),
            "band not trained on": ~np.where(colour, *self._trained_on),
            "no error bar": np.full(len(images), self.calibration is None),
        }
        return [[flag for flag, rows in flagged.items() if rows[i]] for i in range(len(images))]

    def predict(
        self,
        images: Given,
        *,
        impath: str | Path | None = None,
        columns: Mapping[str, str] | None = None,
        per_image: bool = False,
        workers: int | None = None,
        track: Track = silent,
    ) -> pd.DataFrame:
        """Predict the inclinations of galaxies; an image that cannot be used is flagged and does not stop the others.

        Parameters
        ----------
        images, impath, columns
            As for `inclinet.predict`. An image may also be a `Source`.
        per_image : bool
            Return one row per image instead of one per galaxy.
        workers : int, optional
            How many images are read and downsampled at a time; processes do it, if there are many. Default: one per
            core.
        track : callable, optional
            Shows progress.

        Returns
        -------
        DataFrame
            One row per galaxy and row of a catalogue, as `inclinet.prediction.galaxies.by_galaxy` returns. With
            `per_image`, one row per image, and per row of a catalogue that has no image: `image` (path or address),
            `galaxy` (its name), `pgc` (Int64), `band` (c for colour, or its name), the columns of `predict_pixels`
            (angles in deg; `flag` as text separated by `; `), those of `add_shapes`, `problem` (why there is no
            prediction), `version`, and of a catalogue `row` (its line there) and `truth` (deg) if it gives
            inclinations. Its `attrs["about"]` is the statement of the version.

        Raises
        ------
        InclinetError
            When a path does not exist, a folder holds no image, or a catalogue cannot be read.
        """
        sources = find_given(images, impath, columns)
        chunks = [sources[start : start + _CHUNK] for start in range(0, len(sources), _CHUNK)]
        loaded = self._load(sources, workers)
        parts = [
            self._predict_chunk(chunk, list(islice(loaded, len(chunk))))
            for chunk in track(iter(chunks), "predict", len(chunks))
        ]
        table = pd.concat(parts, ignore_index=True) if parts else self._make_rows([], [], pd.DataFrame())
        table.attrs["about"] = self.statement
        return table if per_image else by_galaxy(table, self.calibration)

    def _load(self, sources: list[Source], workers: int | None) -> Iterator[_Loaded]:
        """Yield the frames of images, uint8 (frames, size, size[, 3]), and their shapes, or why they cannot be used."""
        load = partial(load_frames, size=self.size, framing=self.framing)
        work = in_processes if len(sources) >= MANY else in_threads
        return work(load, in_threads(_open, sources, workers), workers, _AHEAD)

    def _predict_chunk(self, chunk: list[Source], loaded: list[_Loaded]) -> pd.DataFrame:
        pixels = {row: image for row, (image, _) in enumerate(loaded) if not isinstance(image, str)}
        predicted = pd.DataFrame()
        if pixels:
            colour = np.array([_is_colour(image) for image in pixels.values()], bool)
            images = np.stack([_in_three_channels(image) for image in pixels.values()])
            shapes = [loaded[row][1] for row in pixels]
            predicted = self.predict_pixels(images, colour).set_axis(list(pixels), axis=0)
            predicted = widen(predicted, [shape is not None and shape.problem == LARGER for shape in shapes])
            predicted = add_shapes(predicted.round(2), shapes)
        return self._make_rows(chunk, [image for image, _ in loaded], predicted)

    def _make_rows(self, chunk: list[Source], loaded: list[np.ndarray | str], predicted: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of a chunk; `predicted` has those of the images that could be used, by their place."""
        angles = [*ESTIMATES, *self.networks]
        table = pd.DataFrame(
            {
                "image": [printable(source.name) for source in chunk],
                "galaxy": [printable(source.galaxy) for source in chunk],
                "pgc": pd.array([source.pgc for source in chunk], dtype="Int64"),
                "band": [_band(*row) for row in zip(chunk, loaded, strict=True)],
            }
        ).join(predicted.reindex(columns=[*angles, *SHAPE, "flag"]))
        problems = [printable(image) if isinstance(image, str) else "" for image in loaded]
        rows = zip(chunk, problems, table["flag"].tolist(), strict=True)
        flags = ["; ".join(_all_flags(source, problem, found)) for source, problem, found in rows]
        table = table.assign(flag=flags, problem=problems, version=self.version).astype(
            dict.fromkeys([*angles, *SHAPE], float)
        )
        if any(source.row is not None for source in chunk):
            table = table.assign(row=pd.array([source.row for source in chunk], dtype="Int64"))
        truths = [source.truth for source in chunk]
        return table if all(truth is None for truth in truths) else table.assign(truth=np.array(truths, dtype=float))


def _open(source: Source) -> tuple[BinaryIO | BadImageError, bool | None]:
    """Return the content of an image, or why there is none, and whether it is in colour if that is known."""
    colour = None if source.band is None else is_colour(source.band)
    try:
        return source.open(), colour
    except BadImageError as error:
        return error, colour


def _is_colour(frames: np.ndarray) -> bool:
    return frames.ndim == 4


def _in_three_channels(frames: np.ndarray) -> np.ndarray:
    return frames if _is_colour(frames) else np.repeat(frames[..., None], 3, axis=3)


def _band(source: Source, loaded: np.ndarray | str) -> str:
    if source.band or isinstance(loaded, str):
        return source.band or ""
    return COLOUR_LETTER if _is_colour(loaded) else _GUESSED_GRAY


def _all_flags(source: Source, problem: str, found: list[str]) -> list[str]:
    if problem:
        return ["not predicted"]
    return found if source.band else [*found, "band guessed"]


_loaded: OrderedDict[tuple[str, str, str], Predictor] = OrderedDict()
_KEPT = 2  # predictors in memory


def open_predictor(where: Store | str | Choice | None = None, version: str | None = None) -> Predictor:
    """Return a version, ready to predict, as `Predictor.open` does; the last two are kept in memory.

    `where` may also be a version that was chosen before.
    """
    choice = where if isinstance(where, Choice) else choose(where, version)
    key = choice.origin, choice.published.version, choice.instead_of
    predictor = _loaded.pop(key, None) or Predictor(choice)
    _loaded[key] = predictor
    while len(_loaded) > _KEPT:
        _loaded.popitem(last=False)
    return predictor
