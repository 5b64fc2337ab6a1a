"""Sample files, which the split writes, and stored batches, which training reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inclinet.data.bands import GRAY_BANDS, is_colour, order_bands
from inclinet.data.filenames import parse_sample, sample_file
from inclinet.data.inclination import MIN_INCLINATION, inclination_bin
from inclinet.errors import InclinetError
from inclinet.storage.npz import Rows, read_arrays, write_arrays

__all__ = [
    "Batch",
    "Samples",
    "batchsize_of",
    "find_samples",
    "read_samples",
    "write_batch",
]


@dataclass(frozen=True)
class Samples:
    """One band's galaxies: `images` (N, size, size, 3) of integers, `labels` (N,) deg, `pgcs` (N,)."""

    images: np.ndarray
    labels: np.ndarray
    pgcs: np.ndarray


@dataclass(frozen=True)
class Batch:
    """A stored batch: `images` uint8 (N, size, size, 3), `labels` (N,) deg, `pgcs` (N,), `filters` (N,) of bytes."""

    images: np.ndarray
    labels: np.ndarray
    pgcs: np.ndarray
    filters: np.ndarray

    def write(self, path: Path, *, raw: bool = False) -> Path:
        """Write the batch as an array file; see `write_batch`."""
        return write_batch(path, self.images, self.labels, self.pgcs, self.filters, raw=raw)

    @classmethod
    def read(cls, path: Path) -> "Batch":
        """Read a stored batch and check every byte of it; the images are a memory map if they are not compressed.

        Raises
        ------
        InclinetError
            When the file is damaged or not a stored batch.
        """
        arrays = read_arrays(path, ["images", "labels", "pgcIDs", "filter"], check=True)
        images, filters = arrays["images"], arrays["filter"]
        if images.ndim != 4 or images.dtype != np.uint8 or filters.shape != images.shape[:1]:
            raise InclinetError(
                f"{path}: not a stored batch, which holds uint8 images and a label, PGC number and filter for each"
            )
        labels, pgcs = (_one_each(path, name, arrays[name], len(images)) for name in ("labels", "pgcIDs"))
        return cls(images, labels, pgcs, filters)


def write_batch(
    path: Path,
    images: np.ndarray | Rows,
    labels: np.ndarray,
    pgcs: np.ndarray,
    filters: np.ndarray,
    *,
    raw: bool = False,
    workers: int | None = None,
) -> Path:
    """Write a stored batch as an array file: `images`, `labels`, `pgcIDs`, `filter`.

    Parameters
    ----------
    path : Path
    images, labels, pgcs, filters
        As in `Batch`; the images may also be made while they are written.
    raw : bool
        Leave the images uncompressed.
    workers : int or None
        Threads that make and compress images; None takes one per core.
    """
    arrays = {"images": images, "labels": labels, "pgcIDs": pgcs, "filter": filters}
    return write_arrays(path, arrays, compressed=() if raw else {"images"}, workers=workers)


def _one_each(path: Path, name: str, array: np.ndarray, n: int) -> np.ndarray:
    """Return an array that should hold one whole number for each of `n` images as int32."""
    if array.shape != (n,) or array.dtype.kind not in "iuf":
        raise InclinetError(
            f"{path}: {name} are {array.dtype} of shape {array.shape}, not one number for each of {n} images"
        )
    if not np.all((array >= -(2**31)) & (array < 2**31)):
        raise InclinetError(f"{path}: {name} holds a number that is not finite or too large")
    return array.astype(np.int32)


def read_samples(paths: Mapping[str, Path], size: int) -> dict[str, Samples]:
    """Read the sample files of one side of a subsample, by stored band; bands without a galaxy are left out.

    Raises
    ------
    InclinetError
        When a file is not a sample file of that size.
    """
    samples = {}
    for band, path in paths.items():
        arrays = read_arrays(path, ["images", "labels", "pgcIDs"])
        images = arrays["images"]
        if images.ndim != 4 or images.shape[1:] != (size, size, 3) or images.dtype.kind not in "iu":
            raise InclinetError(
                f"{path}: images are {images.dtype} of shape {images.shape}, not integers of shape "
                f"(N, {size}, {size}, 3)",
                setting="size",
            )
        labels, pgcs = (_one_each(path, name, arrays[name], len(images)) for name in ("labels", "pgcIDs"))
        if np.any((labels < MIN_INCLINATION) | (labels > 90)):
            raise InclinetError(f"{path}: holds labels outside {MIN_INCLINATION}–90 deg; run the split again")
        if len(labels):
            samples[band] = Samples(images, labels, pgcs)
    return samples


def batchsize_of(path: Path) -> int:
    """Return how many images a stored batch holds in each bin of inclination and colour class.

    Raises
    ------
    InclinetError
        When the file is damaged or not a stored batch.
    """
    # Without the images, which would all be unpacked.
    arrays = read_arrays(path, ["labels", "filter"])
    filters = arrays["filter"]
    labels = _one_each(path, "labels", arrays["labels"], filters.size)
    bins = len(np.unique(inclination_bin(labels)))
    classes = len({is_colour(letter.decode()) for letter in np.unique(filters)})
    return len(labels) // (bins * classes)


def find_samples(infolder: Path, size: int, side: str, subsample: int) -> dict[str, Path]:
    """Return the sample files of one side of a subsample by stored band.

    Raises
    ------
    InclinetError
        When there is none.
    """
    names = [path.name for path in infolder.iterdir()] if infolder.is_dir() else []
    bands = [parsed[0] for name in names if (parsed := parse_sample(name)) and parsed[1:] == (size, side, subsample)]
    found = {band: infolder / sample_file(band, size, side, subsample) for band in order_bands(bands)}
    if not found:
        raise InclinetError(
            f"{infolder}: no sample file such as {sample_file(GRAY_BANDS[0], size, side, subsample)}; run "
            "`inclinet split` first, with the same size and at least as many subsamples",
            setting="infolder",
        )
    return found
