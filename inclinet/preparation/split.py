"""Stage split: test set, training set and bagging subsamples.

Which side a galaxy is on follows only from its PGC number and a seed. So it never changes sides as the catalogue
grows, and is on the same side in every band.
"""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from inclinet.data.filenames import packed_file, parse_packed, sample_file
from inclinet.data.inclination import MIN_INCLINATION
from inclinet.data.samples import Samples
from inclinet.errors import InclinetError
from inclinet.progress import Track, silent
from inclinet.settings import Split
from inclinet.storage.npz import Rows, read_arrays, write_arrays
from inclinet.storage.parallel import in_threads

__all__ = [
    "hash_fraction",
    "left_out_galaxies",
    "left_out_of_all",
    "left_out_side",
    "read_packed",
    "sides",
    "split",
    "split_band",
]

_CHUNK = 256  # images copied at a time: memory stays flat in the number of galaxies
_LEFT_OUT = 0.1  # of the training galaxies, by subsample 0


def split(
    infolder: Path, outfolder: Path, *, size: int = 128, settings: Split | None = None, track: Track = silent
) -> list[Path]:
    """Split every band's packed array file of one size in `infolder`; return the files written.

    Raises
    ------
    InclinetError
        When there is no packed file of that size, or no galaxy labelled 45 deg or more to train on.
    """
    settings = settings or Split()
    bands = _find_bands(infolder, size)

    def split_one(band: str) -> list[Path]:
        return split_band(infolder / packed_file(size, band), band, size, outfolder, settings)

    written = [path for paths in track(in_threads(split_one, bands), "split", len(bands)) for path in paths]
    training_sets = [outfolder / sample_file(band, size, "train", 0) for band in bands]
    if not sum(len(read_arrays(path, ["labels"])["labels"]) for path in training_sets):
        raise InclinetError(f"{infolder}: no galaxy labelled {MIN_INCLINATION} deg or more is left to train on")
    return written


def _find_bands(infolder: Path, size: int) -> list[str]:
    """Return the stored bands that have a packed array file of this size."""
    names = [parse_packed(path.name) for path in infolder.iterdir()] if infolder.is_dir() else []
    bands = sorted(name[1] for name in names if name and name[0] == size)
    if not bands:
        raise InclinetError(
            f"{infolder}: there is no array file such as {packed_file(size, 'g')}; run `inclinet compress` first, or "
            "check the folder and the size",
            setting="infolder",
        )
    return bands


def split_band(path: Path, band: str, size: int, outfolder: Path, settings: Split) -> list[Path]:
    """Split one band's packed array file; return the files written.

    Each holds `images` uint8 (N, size, size, 3), `labels` int32 (N,) in degrees and `pgcIDs` int32 (N,).

    Raises
    ------
    InclinetError
        When the file is not a packed array file, or holds images of another size.
    """
    images, pgcs, labels = read_packed(path)
    if images.shape[1] != size:
        raise InclinetError(f"{path}: holds images of {images.shape[1]} pixels a side, not {size}", setting="size")
    usable = np.flatnonzero(labels >= MIN_INCLINATION)
    written = []
    for (side, k), members in sides(pgcs[usable], settings).items():
        rows = usable[members]
        arrays = {
            "images": Rows((len(rows), size, size, 3), np.uint8, _uint8_rows(images, rows)),
            "labels": labels[rows],
            "pgcIDs": pgcs[rows],
        }
        written.append(write_arrays(outfolder / sample_file(band, size, side, k), arrays))
    return written


def read_packed(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return images (N, size, size, 3), PGC numbers (N,) and numeric labels (N,) of a packed array file.

    The images may have any integer dtype: the published files hold big-endian int32.

    Raises
    ------
    InclinetError
        When the file is not a packed array file.
    """
    arrays = read_arrays(path, ["images", "labels"])
    images, labels = arrays["images"], arrays["labels"]
    if images.ndim != 4 or images.shape[3] != 3 or images.shape[1] != images.shape[2]:
        raise InclinetError(f"{path}: images have the shape {images.shape}, not (N, size, size, 3)")
    if labels.shape != (2, len(images)) or images.dtype.kind not in "iu" or labels.dtype.kind not in "iu":
        raise InclinetError(f"{path}: labels {labels.shape} {labels.dtype} do not fit {len(images)} images")
    return images, labels[0].astype(np.int32), labels[1].astype(np.int32)


def _uint8_rows(images: np.ndarray, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the rows (M,) of images (N, size, size, 3) in chunks, as uint8."""
    for start in range(0, len(rows), _CHUNK):
        yield images[rows[start : start + _CHUNK]].astype(np.uint8, copy=False)


def sides(pgcs: np.ndarray, settings: Split) -> dict[tuple[str, int], np.ndarray]:
    """Return, for every (side, subsample), which galaxies it holds.

    Parameters
    ----------
    pgcs : ndarray of int, shape (N,)

    Returns
    -------
    dict of (str, int) to ndarray of bool, shape (N,)
        Every galaxy is in one of `("test", 0)` and `("train", 0)`. For k ≥ 1, every galaxy of `("train", 0)` is in
        one of `("train", k)` and `("test", k)`. With folds, `("test", 0)` is empty and `("test", k)` is fold k.
    """
    if settings.folds:
        return _folds(pgcs, settings)

    def below(fraction: float, draw: str) -> np.ndarray:
        return np.array([hash_fraction(pgc, settings.seed, draw) < fraction for pgc in pgcs.tolist()], bool)

    test = below(settings.test_fraction, "test")
    members = {("test", 0): test, ("train", 0): ~test}
    for k in range(1, settings.subsamples + 1):
        inside = below(settings.subsample_fraction, f"subsample {k}")
        members["train", k] = ~test & inside
        members["test", k] = ~test & ~inside
    return members


def _folds(pgcs: np.ndarray, settings: Split) -> dict[tuple[str, int], np.ndarray]:
    fractions = np.array([hash_fraction(pgc, settings.seed, "fold") for pgc in pgcs.tolist()])
    fold = 1 + (fractions * settings.folds).astype(int)
    members = {("test", 0): np.zeros(len(pgcs), bool), ("train", 0): np.ones(len(pgcs), bool)}
    for k in range(1, settings.folds + 1):
        members["train", k], members["test", k] = fold != k, fold == k
    return members


def hash_fraction(pgc: int, seed: int, draw: str) -> float:
    """Return a number in [0, 1), uniform over galaxies, that depends only on the arguments.

    The first 8 bytes of a SHA-256; `draw` names what is decided, so that decisions are independent of each other.
    """
    digest = hashlib.sha256(f"{seed}/{draw}/{pgc}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def left_out_of_all(pgcs: np.ndarray) -> np.ndarray:
    """Return which galaxies subsample 0 leaves out of its stored batches: a tenth, always the same.

    Parameters
    ----------
    pgcs : ndarray of int, shape (N,)

    Returns
    -------
    ndarray of bool, shape (N,)
    """
    return np.array([hash_fraction(pgc, 0, "left out of subsample 0") < _LEFT_OUT for pgc in pgcs.tolist()], bool)


def left_out_side(subsample: int) -> tuple[str, int]:
    """Return the (side, subsample) of the sample files that hold the galaxies left out by a subsample."""
    return ("test", subsample) if subsample else ("train", 0)


def left_out_galaxies(samples: Mapping[str, Samples], subsample: int) -> np.ndarray:
    """Return the PGC numbers, sorted, of the galaxies that a subsample leaves out.

    `samples` are those read from the files that `left_out_side` names, by stored band.
    """
    pgcs = np.unique(np.concatenate([sample.pgcs for sample in samples.values()] or [np.empty(0, int)]))
    return pgcs if subsample else pgcs[left_out_of_all(pgcs)]
