"""Stage augment: stored training batches, uniform in inclination.

A batch is made in three steps: `choice` says which images it holds, `transformation` draws how each is transformed,
`rendering` does it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from inclinet.data.bands import band_letter
from inclinet.data.filenames import batch_file, batch_folder
from inclinet.data.inclination import MIN_INCLINATION
from inclinet.data.samples import Batch, Samples, find_samples, read_samples, write_batch
from inclinet.errors import InclinetError
from inclinet.preparation.choice import choose_rows
from inclinet.preparation.rendering import render, sky_of
from inclinet.preparation.split import left_out_galaxies, left_out_side
from inclinet.preparation.transformation import (
    PRESETS,
    Ranges,
    Transformation,
    draw_noise,
    draw_transformations,
    ranges_of,
)
from inclinet.progress import Track, silent
from inclinet.settings import Augment
from inclinet.storage.npz import Rows, rows_per_chunk
from inclinet.storage.parallel import in_threads

__all__ = ["augment", "augment_batch", "left_out_batch", "training_batch", "validation_batch", "write_training_batch"]

_VALIDATION_SEED = 45  # fixed: validation metrics are comparable whatever the training batches
_VALIDATION_RANGES = replace(PRESETS["published"], positive=True, inverted=0)  # as images are shown when predicting
_VALIDATION_SHARE = 8  # a stored batch holds 8 times as many images as its validation batch


def augment(
    infolder: Path,
    outfolder: Path,
    *,
    size: int = 128,
    niter: int = 3,
    settings: Augment | None = None,
    workers: int | None = None,
    track: Track = silent,
) -> list[Path]:
    """Write the stored batches of every subsample 0 … `niter`; return the files written.

    Raises
    ------
    InclinetError
        When sample files are missing or hold no galaxy.
    """
    settings = settings or Augment()
    # Find the files of all subsamples first: a missing one is reported before any work is done.
    sources = {k: find_samples(infolder, size, "train", k) for k in range(niter + 1)}
    written = []
    for k, paths in sources.items():
        samples = read_samples(paths, size)
        for b in range(1, settings.nbatch + 1):
            path = outfolder / batch_folder(k) / batch_file(size, b)
            write_training_batch(path, samples, k, b, settings, workers=workers, track=track)
            written.append(path)
    return written


def write_training_batch(
    path: Path,
    samples: Mapping[str, Samples],
    subsample: int,
    batch: int,
    settings: Augment,
    *,
    workers: int | None = None,
    track: Track = silent,
) -> int:
    """Write stored batch `batch`, counted from 1, of a subsample's training galaxies; return its number of images.

    Memory does not grow with that number. `samples` and the errors are those of `augment_batch`.
    """
    drawn = _draw_training_batch(samples, subsample, batch, settings)
    chunks = track(drawn.chunks(), f"augment {subsample}-{batch:02d}", drawn.count_chunks())
    images = Rows(drawn.shape, np.uint8, chunks)
    write_batch(path, images, drawn.labels, drawn.pgcs, drawn.filters, raw=settings.raw, workers=workers)
    return len(drawn.labels)


def training_batch(samples: Mapping[str, Samples], subsample: int, batch: int, settings: Augment) -> Batch:
    """Return what `write_training_batch` writes."""
    return _draw_training_batch(samples, subsample, batch, settings).render()


def _draw_training_batch(
    samples: Mapping[str, Samples], subsample: int, batch: int, settings: Augment
) -> "_DrawnBatch":
    without = None
    if settings.leave_out and subsample == 0:
        without = left_out_galaxies(samples, 0)
    return _draw(samples, settings.batchsize, [settings.seed, subsample, batch], ranges_of(settings), without)


def validation_batch(
    samples: Mapping[str, Samples], batchsize: int, *, without: np.ndarray | None = None
) -> Batch | None:
    """Return augmented galaxies to measure a network on, an eighth as many images as in a stored batch.

    Always the same for the same samples. None when there is no galaxy; `without` as in `augment_batch`.
    """
    if not samples:
        return None
    n = max(1, batchsize // _VALIDATION_SHARE)
    return augment_batch(samples, n, [_VALIDATION_SEED], ranges=_VALIDATION_RANGES, without=without)


def left_out_batch(infolder: Path, size: int, subsample: int, batchsize: int) -> Batch | None:
    """Return the `validation_batch` of the training galaxies that a subsample leaves out; None when there are none.

    For subsample 0 these are a tenth of the training set, for the others those in its sample files.

    Raises
    ------
    InclinetError
        When sample files are missing or damaged.
    """
    samples = read_samples(find_samples(infolder, size, *left_out_side(subsample)), size)
    left_out = left_out_galaxies(samples, subsample)
    if not left_out.size:
        return None
    pgcs = np.concatenate([sample.pgcs for sample in samples.values()])
    return validation_batch(samples, batchsize, without=np.setdiff1d(pgcs, left_out))


def augment_batch(
    samples: Mapping[str, Samples],
    batchsize: int,
    seed: Sequence[int],
    *,
    ranges: Ranges = PRESETS["wide"],
    without: np.ndarray | None = None,
    workers: int | None = None,
) -> Batch:
    """Return one shuffled batch, uniform in inclination.

    Parameters
    ----------
    samples : mapping of stored band to Samples
    batchsize : int
        Images in each bin and colour class.
    seed : sequence of int
        The same seed and samples give the same bytes, whatever the number of workers.
    ranges : Ranges
        Ranges of the transformations.
    without : ndarray of int or None
        PGC numbers of galaxies to leave out, unless no galaxy would remain.
    workers : int or None
        Threads; None takes one per core.

    Raises
    ------
    InclinetError
        When there is no galaxy.
    """
    return _draw(samples, batchsize, seed, ranges, without).render(workers)


def _draw(
    samples: Mapping[str, Samples], batchsize: int, seed: Sequence[int], ranges: Ranges, without: np.ndarray | None
) -> "_DrawnBatch":
    if not samples:
        raise InclinetError(
            f"augment: no galaxy labelled {MIN_INCLINATION} deg or more to draw from; the sample is too small"
        )
    if without is None or all(np.isin(sample.pgcs, without).all() for sample in samples.values()):
        without = np.empty(0, int)
    rng = np.random.default_rng(list(seed))
    transformations = draw_transformations(choose_rows(samples, batchsize, rng, without), ranges, rng)
    return _DrawnBatch(samples, transformations, draw_noise(rng))


@dataclass(frozen=True)
class _DrawnBatch:
    """A batch of which all that is random is drawn, but no image is rendered."""

    samples: Mapping[str, Samples]
    transformations: Sequence[Transformation]
    noise_values: np.ndarray
    sky_levels: dict[tuple[str, int], np.ndarray] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape of the images, (N, size, size, 3)."""
        size = next(iter(self.samples.values())).images.shape[1]
        return len(self.transformations), size, size, 3

    @property
    def labels(self) -> np.ndarray:
        return np.array([self.samples[each.band].labels[each.row] for each in self.transformations], np.int32)

    @property
    def pgcs(self) -> np.ndarray:
        return np.array([self.samples[each.band].pgcs[each.row] for each in self.transformations], np.int32)

    @property
    def filters(self) -> np.ndarray:
        return np.array([band_letter(each.band) for each in self.transformations], "S")

    def count_chunks(self) -> int:
        return -(-len(self.transformations) // rows_per_chunk(self.shape, np.uint8))

    def chunks(self) -> Iterable[Callable[[], np.ndarray]]:
        """Yield functions that render some images each, in order, for threads to call."""
        rows = rows_per_chunk(self.shape, np.uint8)
        for start in range(0, len(self.transformations), rows):
            yield partial(self._render, self.transformations[start : start + rows])

    def _render(self, transformations: Sequence[Transformation]) -> np.ndarray:
        images = np.empty((len(transformations), *self.shape[1:]), np.uint8)
        for i, each in enumerate(transformations):
            image, key = self.samples[each.band].images[each.row], (each.band, each.row)
            # Measured once: an image may stand in a batch many times.
            if key not in self.sky_levels:
                self.sky_levels[key] = sky_of(image, each.band)
            images[i] = render(image, each, self.noise_values, self.sky_levels[key])
        return images

    def render(self, workers: int | None = None) -> Batch:
        """Return the batch in memory."""
        images, start = np.empty(self.shape, np.uint8), 0
        # Threads suffice: OpenCV releases the interpreter lock.
        for chunk in in_threads(lambda make: make(), self.chunks(), workers):
            images[start : start + len(chunk)] = chunk
            start += len(chunk)
        return Batch(images, self.labels, self.pgcs, self.filters)
