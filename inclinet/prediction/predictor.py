"""From images to inclinations with a published version: its networks loaded once, error bars and flags with each."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from inclinet.data.columns import network_name, spread_column
from inclinet.data.images import BadImageError, small_pixels
from inclinet.data.inclination import BIN_WIDTH, MIN_INCLINATION
from inclinet.evaluation.calibration import Calibration, combine
from inclinet.evaluation.filenames import CALIBRATION_FILE, NOVELTY_FILE
from inclinet.evaluation.novelty import Novelty
from inclinet.networks.filenames import parse_network
from inclinet.networks.infer import load_network, predict_images
from inclinet.prediction.sources import Source
from inclinet.progress import Track, silent
from inclinet.records import read_record
from inclinet.registry.champion import choose_version
from inclinet.registry.copies import fetch_version
from inclinet.registry.versions import PublishedVersion, find_version
from inclinet.storage.store import Store, open_named_store, open_store

__all__ = ["FLAGS", "Predictor", "open_predictor"]

FLAGS = {
    "nearly face-on": "may well be below 45 deg, where the networks were not trained",
    "unlike training images": "another field of view, another kind of image, or no galaxy",
    "band guessed": "the file name does not say the band; nothing but the tables depends on it",
    "no error bar": "the version has too few left-out galaxies to calibrate one",
    "not predicted": "the image could not be used; the column `problem` says why",
}
"""What the flags of a prediction mean."""

_CHUNK = 256  # images in memory at a time, and as many on their way
_GUESSED_GRAY = "r"
_ESTIMATES = ["inclination", "error", "low68", "high68", "low95", "high95"]


class Predictor:
    """A published version at work.

    Parameters
    ----------
    bundle : PublishedVersion
    folder : Path
        Its files, as `inclinet.registry.copies.fetch_version` returns them.

    Raises
    ------
    InclinetError
        When a network cannot be loaded.
    """

    def __init__(self, bundle: PublishedVersion, folder: Path) -> None:
        self.version, self.size = bundle.version, bundle.info.size
        names = {name: network_name(*parse_network(name)) for name in bundle.networks}
        self.networks = {network: load_network(folder / name) for name, network in names.items()}
        self.calibration = read_record(Calibration, folder / CALIBRATION_FILE)
        self.novelty = read_record(Novelty, folder / NOVELTY_FILE)

    def predict_pixels(self, images: np.ndarray, colour: np.ndarray) -> pd.DataFrame:
        """Predict downsampled images.

        Parameters
        ----------
        images : ndarray of uint8, shape (N, size, size, 3)
        colour : ndarray of bool, shape (N,)
            Which of them are colour images.

        Returns
        -------
        DataFrame
            One row per image: `inclination`, `error`, `low68`, `high68`, `low95`, `high95` and one column for each
            network, in deg; `flags`, a list of some of `FLAGS`.
        """
        answers = {name: predict_images(network, images) for name, network in self.networks.items()}
        each = pd.DataFrame({name: mean for name, (mean, _) in answers.items()})
        spreads = {spread_column(name): spread for name, (_, spread) in answers.items()}
        table = self._estimates(each.assign(**spreads)).join(each).round(2)
        table["flags"] = self._flags(table, images, colour)
        return table

    def _estimates(self, answers: pd.DataFrame) -> pd.DataFrame:
        if self.calibration is None:
            return combine(answers).reindex(columns=_ESTIMATES)
        return self.calibration.estimate(answers)

    def _flags(self, table: pd.DataFrame, images: np.ndarray, colour: np.ndarray) -> list[list[str]]:
        lowest = table["inclination"] <= MIN_INCLINATION + BIN_WIDTH
        signs = {
            "nearly face-on": (lowest | (table["low95"] <= MIN_INCLINATION)).to_numpy(),
            "unlike training images": self.novelty.is_unlike(images, colour)
            if self.novelty
            else np.zeros(len(images), bool),
            "no error bar": np.full(len(images), self.calibration is None),
        }
        return [[flag for flag, rows in signs.items() if rows[i]] for i in range(len(images))]

    def predict(self, sources: Sequence[Source], *, workers: int | None = None, track: Track = silent) -> pd.DataFrame:
        """Predict images; one that cannot be used is flagged, with its reason, and ends nothing.

        Parameters
        ----------
        sources : sequence of Source
        workers : int, optional
            Threads that read and downsample; all cores unless given.

        Returns
        -------
        DataFrame
            One row per source: `image`, `pgc` (Int64), `band` (c, g, r or i), what `predict_pixels` returns with
            `flags` as text split by `; `, `problem`, and `truth` (deg) where a catalogue says it.
        """
        chunks = [sources[start : start + _CHUNK] for start in range(0, len(sources), _CHUNK)]
        with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
            parts = [
                self._predict_chunk(chunk, loaded)
                for chunk, loaded in track(self._ahead(pool, chunks), "predict", len(chunks))
            ]
        return pd.concat(parts, ignore_index=True) if parts else self._rows([], {}, pd.DataFrame())

    def _ahead(self, pool: ThreadPoolExecutor, chunks: list) -> Iterator[tuple[Sequence[Source], list]]:
        """Yield each chunk with its pixels, while those of the next one are on their way."""
        coming = pool.map(self._load, chunks[0]) if chunks else None
        for chunk, following in zip(chunks, [*chunks[1:], None], strict=True):
            loaded = list(coming)
            coming = pool.map(self._load, following) if following else None
            yield chunk, loaded

    def _load(self, source: Source) -> np.ndarray | str:
        """Return the pixels of an image, gray ones of two dimensions, or why it cannot be used."""
        try:
            return small_pixels(source.open(), self.size, None if source.band is None else source.band == "c")
        except BadImageError as error:
            return str(error)

    def _predict_chunk(self, chunk: Sequence[Source], loaded: list) -> pd.DataFrame:
        good = {i: pixels for i, pixels in enumerate(loaded) if not isinstance(pixels, str)}
        colour = np.array([pixels.ndim == 3 for pixels in good.values()], bool)
        predicted = pd.DataFrame()
        if good:
            images = np.stack([p if p.ndim == 3 else np.repeat(p[..., None], 3, axis=2) for p in good.values()])
            predicted = self.predict_pixels(images, colour).set_axis(list(good), axis=0)
        return self._rows(chunk, dict(enumerate(loaded)), predicted)

    def _rows(self, chunk: Sequence[Source], loaded: dict, predicted: pd.DataFrame) -> pd.DataFrame:
        columns = [*_ESTIMATES, *self.networks]
        table = pd.DataFrame(
            {
                "image": [source.name for source in chunk],
                "pgc": pd.array([source.pgc for source in chunk], dtype="Int64"),
                "band": [_band(source, loaded[i]) for i, source in enumerate(chunk)],
            }
        ).join(predicted.reindex(columns=[*columns, "flags"]))
        problems = [loaded[i] if isinstance(loaded[i], str) else "" for i in range(len(chunk))]
        flags = [
            _all_flags(source, problem, found)
            for source, problem, found in zip(chunk, problems, table["flags"], strict=True)
        ]
        table = table.assign(flags=flags, problem=problems).astype(dict.fromkeys(columns, float))
        truths = [source.truth for source in chunk]
        return table if all(truth is None for truth in truths) else table.assign(truth=np.array(truths, dtype=float))


def _band(source: Source, loaded: np.ndarray | str) -> str:
    if source.band or isinstance(loaded, str):
        return source.band or ""
    return "c" if loaded.ndim == 3 else _GUESSED_GRAY


def _all_flags(source: Source, problem: str, found: object) -> str:
    if problem:
        return "not predicted"
    return "; ".join([*found, *(["band guessed"] if source.band is None else [])])


@lru_cache(maxsize=2)
def _load(uri: str, version: str) -> Predictor:
    store = open_store(uri)
    bundle = find_version(store, version)
    return Predictor(bundle, fetch_version(store, bundle))


def open_predictor(where: Store | str | None = None, version: str | None = None) -> Predictor:
    """Return a published version, ready; the same one again is there at once.

    Parameters
    ----------
    where : Store or str, optional
        Artifact store, or its s3://bucket/prefix or folder; that of `INCLINET_STORE` unless given.
    version : str, optional
        The one in use unless given.

    Raises
    ------
    InclinetError
        When no store is named, or there is no such version.
    """
    store = open_named_store(where) if where is None or isinstance(where, str) else where
    return _load(store.uri, choose_version(store, version).version)
