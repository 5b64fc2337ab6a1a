"""Stage augment: stored training batches, uniform in inclination."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from pathlib import Path

import numpy as np

from inclinet.data.bands import FILTERS
from inclinet.data.filenames import batch_file, batch_folder
from inclinet.data.inclination import MIN_INCLINATION
from inclinet.data.samples import Batch, Samples, find_samples, read_samples
from inclinet.errors import InclinetError
from inclinet.preparation.rendering import draw, render
from inclinet.preparation.split import left_out_galaxies, left_out_side
from inclinet.progress import Track, silent
from inclinet.settings import Augment

__all__ = ["augment", "augment_batch", "left_out_batch", "training_batch", "validation_batch"]

_CHUNK = 64
_VALIDATION_SEED = 45  # fixed: validation metrics are comparable whatever the training batches


def augment_batch(
    samples: Mapping[str, Samples],
    batchsize: int,
    seed: Sequence[int],
    *,
    without: np.ndarray | None = None,
    workers: int | None = None,
    track: Track = silent,
    description: str = "augment",
) -> Batch:
    """Return one shuffled batch, uniform in inclination.

    Parameters
    ----------
    samples : mapping of stored band to Samples
    batchsize : int
        Images in each bin and colour class.
    seed : sequence of int
        The same seed and samples give the same bytes.
    without : ndarray of int or None
        PGC numbers of galaxies to leave out, unless no galaxy would be left then.

    Raises
    ------
    InclinetError
        When there is no galaxy.
    """
    if without is None or all(np.isin(sample.pgcs, without).all() for sample in samples.values()):
        without = np.empty(0, int)
    if not samples:
        raise InclinetError(
            f"augment: no galaxy labelled {MIN_INCLINATION} deg or more to draw from; the sample is too small"
        )
    drawn, pool = draw(samples, batchsize, np.random.default_rng(list(seed)), without)
    size = next(iter(samples.values())).images.shape[1]
    images = np.empty((len(drawn), size, size, 3), np.uint8)

    def fill(start: int) -> None:
        for i, one in enumerate(drawn[start : start + _CHUNK], start):
            images[i] = render(samples[one.band].images[one.row], one, pool)

    starts = range(0, len(drawn), _CHUNK)
    # Threads suffice: OpenCV gives up the interpreter lock.
    with ThreadPoolExecutor(workers or cpu_count() or 1) as executor:
        for _ in track(executor.map(fill, starts), description, len(starts)):
            pass
    return Batch(
        images,
        np.array([samples[one.band].labels[one.row] for one in drawn], np.int32),
        np.array([samples[one.band].pgcs[one.row] for one in drawn], np.int32),
        np.array([FILTERS[one.band] for one in drawn], "S1"),
    )


def validation_batch(
    samples: Mapping[str, Samples], batchsize: int, *, without: np.ndarray | None = None
) -> Batch | None:
    """Return galaxies to judge a network by, augmented: an eighth of the images of a stored batch of `batchsize`.

    None without a galaxy; `without` as in `augment_batch`.
    """
    if not samples:
        return None
    return augment_batch(samples, max(1, batchsize // 8), [_VALIDATION_SEED], without=without)


def left_out_batch(infolder: Path, size: int, subsample: int, batchsize: int) -> Batch | None:
    """Return the training galaxies that a subsample leaves out, as `validation_batch`; None without a galaxy.

    Of subsample 0 that is a tenth of the training set, of the others what its sample files say.
    """
    samples = read_samples(find_samples(infolder, size, *left_out_side(subsample)), size)
    left = left_out_galaxies(samples, subsample)
    pgcs = np.concatenate([sample.pgcs for sample in samples.values()] or [left])
    return validation_batch(samples, batchsize, without=np.setdiff1d(pgcs, left)) if left.size else None


def training_batch(
    samples: Mapping[str, Samples],
    subsample: int,
    batch: int,
    settings: Augment,
    *,
    workers: int | None = None,
    track: Track = silent,
) -> Batch:
    """Return stored batch `batch` (from 1) of a subsample, made of its training galaxies; as `augment_batch`."""
    without = None
    if settings.leave_out and subsample == 0:
        without = left_out_galaxies(samples, 0)
    return augment_batch(
        samples,
        settings.batchsize,
        [settings.seed, subsample, batch],
        without=without,
        workers=workers,
        track=track,
        description=f"augment {subsample}-{batch:02d}",
    )


def augment(
    infolder: Path,
    outfolder: Path,
    *,
    size: int = 128,
    niter: int = 3,
    settings: Augment | None = None,
    workers: int | None = None,
    track: Track = silent,
) -> Iterable[Path]:
    """Write the stored batches of every subsample 0 … `niter`; returns the files written.

    Raises
    ------
    InclinetError
        When sample files are missing or hold no galaxy.
    """
    settings = settings or Augment()
    sources = {k: find_samples(infolder, size, "train", k) for k in range(niter + 1)}
    written = []
    for k, paths in sources.items():
        samples = read_samples(paths, size)
        for b in range(1, settings.nbatch + 1):
            batch = training_batch(samples, k, b, settings, workers=workers, track=track)
            written.append(batch.write(outfolder / batch_folder(k) / batch_file(size, b)))
    return written
