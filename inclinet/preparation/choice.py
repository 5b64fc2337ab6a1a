"""Which images a stored batch holds: equally many in every bin of inclination, half of them colour."""

from collections.abc import Mapping, Sequence

import numpy as np

from inclinet.data.bands import is_colour, order_bands
from inclinet.data.inclination import inclination_bin
from inclinet.data.samples import Samples

__all__ = ["choose_rows"]


def choose_rows(
    samples: Mapping[str, Samples], batchsize: int, rng: np.random.Generator, without: np.ndarray
) -> list[tuple[str, int]]:
    """Choose the images of a batch.

    Every bin that holds a galaxy gets `batchsize` images for each colour class (colour, grayscale) in the sample.
    Where a class has no galaxy in a bin, the other class fills its place. Within a class the bands are equally likely,
    within a band and bin the galaxies take equal turns.

    Parameters
    ----------
    samples : mapping of stored band to Samples
    batchsize : int
    rng : Generator
    without : ndarray of int
        PGC numbers of galaxies that are not chosen.

    Returns
    -------
    list of (str, int)
        Stored band and row in its sample, bin by bin.
    """
    bands = order_bands(samples)
    classes = _present([[band for band in bands if is_colour(band) == colour] for colour in (True, False)], samples)
    rows = _rows_by_bin(samples, without)
    chosen: list[tuple[str, int]] = []
    for b in sorted({b for _, b in rows}):
        filled = _present(classes, [band for band in samples if (band, b) in rows])
        share = batchsize * len(classes) // len(filled)
        for bands in filled:
            picks = np.resize(rng.permutation(bands), share)
            for band in bands:
                if count := int(np.sum(picks == band)):
                    chosen += [(band, int(row)) for row in _take_turns(rows[band, b], count, rng)]
    return chosen


def _present(classes: Sequence[Sequence[str]], bands: Mapping[str, Samples] | list[str]) -> list[list[str]]:
    """Return the classes reduced to the given bands, without the empty ones."""
    return [kept for group in classes if (kept := [band for band in group if band in bands])]


def _rows_by_bin(samples: Mapping[str, Samples], without: np.ndarray) -> dict[tuple[str, int], np.ndarray]:
    """Return the rows of each (stored band, bin of inclination) that has any."""
    rows: dict[tuple[str, int], np.ndarray] = {}
    for band, sample in samples.items():
        bins = np.where(np.isin(sample.pgcs, without), -1, inclination_bin(sample.labels))
        rows |= {(band, int(b)): np.flatnonzero(bins == b) for b in np.unique(bins) if b >= 0}
    return rows


def _take_turns(rows: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return `n` of `rows` in random order, each as often as any other, or once more."""
    rounds = [rng.permutation(rows) for _ in range(-(-n // len(rows)))]
    return np.concatenate(rounds)[:n]
