"""Stage augment: stored training batches, uniform in inclination.

All randomness of a batch is drawn in one place (`_draw`) from the seed; rendering an image is then a
pure function, so that the bytes do not depend on the number of workers. No transformation changes the
axis ratio, which would change the inclination.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from pathlib import Path

import cv2
import numpy as np

from inclinet.batches import (
    Batch,
    Samples,
    find_samples,
    inclination_bin,
    is_negative,
    read_samples,
    sky,
)
from inclinet.errors import InclinetError
from inclinet.naming import FILTERS, batch_file, batch_folder
from inclinet.progress import Track, silent
from inclinet.scaling import MIN_INCLINATION
from inclinet.settings import Augment
from inclinet.split import left_out_galaxies, left_out_side

__all__ = ["augment", "augment_batch", "left_out_batch", "training_batch", "validation_batch"]

_COLOUR, _GRAY = ("RGB",), ("g", "r", "i")
_MAX_SHIFT = 0.15  # of the image side
_ZOOM = (0.8, 1.2)
_GAMMA = (0.97, 1.03)
_BRIGHTNESS = (0.9, 1.1)
_CHANNEL = (0.95, 1.05)  # colour images: factor of each channel
_NOISE = 5.0  # colour images: largest standard deviation, of 255
_BLUR = 0.6  # largest standard deviation in pixels of a 128-pixel image
_NOISE_POOL = 1 << 20
_CHUNK = 64
_VALIDATION_SEED = 45  # fixed: validation metrics are comparable whatever the training batches


def _cycle(rows: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return `n` of `rows`, each nearly equally often, in random order."""
    rounds = [rng.permutation(rows) for _ in range(-(-n // len(rows)))]
    return np.concatenate(rounds)[:n]


def _choose(
    samples: Mapping[str, Samples], batchsize: int, rng: np.random.Generator, without: np.ndarray
) -> list[tuple[str, int]]:
    """Return (band, row) for every image of a batch: equal bins, half colour, equal shares of g, r, i."""
    classes = [present for group in (_COLOUR, _GRAY) if (present := [b for b in group if b in samples])]
    bins = {
        band: np.where(np.isin(sample.pgcs, without), -1, inclination_bin(sample.labels))
        for band, sample in samples.items()
    }
    rows = {(band, int(b)): np.flatnonzero(of == b) for band, of in bins.items() for b in np.unique(of) if b >= 0}
    chosen: list[tuple[str, int]] = []
    for b in sorted({b for _, b in rows}):
        filled = [bands for group in classes if (bands := [band for band in group if (band, b) in rows])]
        # Where one class has no galaxy in a bin the other fills its place: bins stay equal.
        share = batchsize * len(classes) // len(filled)
        for bands in filled:
            picks = np.resize(rng.permutation(bands), share)
            for band in bands:
                count = int(np.sum(picks == band))
                if count:
                    chosen += [(band, int(row)) for row in _cycle(rows[band, b], count, rng)]
    return chosen


@dataclass(frozen=True)
class _Drawn:
    """What is drawn for one image."""

    band: str
    row: int
    angle: float
    zoom: float
    flip: bool
    shift: np.ndarray  # (x, y) as a share of the image side
    blur: float
    gamma: float
    brightness: float
    channels: np.ndarray
    noise: float
    offset: int
    invert: bool


def _draw(
    samples: Mapping[str, Samples], batchsize: int, rng: np.random.Generator, without: np.ndarray
) -> tuple[list[_Drawn], np.ndarray]:
    chosen = _choose(samples, batchsize, rng, without)
    n = len(chosen)
    gray = rng.permutation([i for i, (band, _) in enumerate(chosen) if band in _GRAY]).astype(int)
    invert = np.zeros(n, bool)
    invert[gray[: len(gray) // 2]] = True
    columns = zip(
        *zip(*chosen, strict=True),
        rng.uniform(0, 2 * np.pi, n),
        rng.uniform(*_ZOOM, n),
        rng.random(n) < 0.5,
        rng.triangular(-_MAX_SHIFT, 0, _MAX_SHIFT, (n, 2)),
        rng.uniform(0, _BLUR, n),
        rng.uniform(*_GAMMA, n),
        rng.uniform(*_BRIGHTNESS, n),
        rng.uniform(*_CHANNEL, (n, 3)),
        rng.uniform(0, _NOISE, n),
        rng.integers(0, _NOISE_POOL, n),
        invert,
        strict=True,
    )
    drawn = [_Drawn(*values) for values in columns]
    return [drawn[i] for i in rng.permutation(n)], rng.standard_normal(_NOISE_POOL, np.float32)


def _warp(image: np.ndarray, fill: np.ndarray, drawn: _Drawn) -> np.ndarray:
    """Rotate, flip, zoom and shift about the centre in one resampling; isotropic, so the axis ratio stays."""
    size = len(image)
    cos, sin = drawn.zoom * np.cos(drawn.angle), drawn.zoom * np.sin(drawn.angle)
    linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag([-1.0 if drawn.flip else 1.0, 1.0])
    centre = np.full(2, (size - 1) / 2)
    offset = centre + drawn.shift * size - linear @ centre
    matrix = np.column_stack([linear, offset])
    return cv2.warpAffine(
        image, matrix, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT, borderValue=fill.tolist()
    )


def _tone(drawn: _Drawn, negative: bool, channels: int) -> np.ndarray:
    """Return the lookup table (256, channels) of gamma, brightness, channel factors and inversion.

    Gamma and brightness act on light: on the negative of an image that is black on white, whose bright sky
    would otherwise be cut off at 255, and the faint parts of the galaxy with it.
    """
    light = np.arange(256)[:, None] / 255
    if negative:
        light = 1 - light
    factors = drawn.channels if channels == 3 else np.ones(1)
    light = np.clip(light**drawn.gamma * drawn.brightness * factors, 0, 1)
    return np.rint(255 * (light if negative == drawn.invert else 1 - light)).astype(np.uint8)


def _render(image: np.ndarray, drawn: _Drawn, pool: np.ndarray) -> np.ndarray:
    """Return the augmented image, uint8 (size, size, 3)."""
    colour = drawn.band in _COLOUR
    pixels = np.ascontiguousarray(image if colour else image[..., :1], np.uint8)
    size = len(pixels)
    level = sky(pixels)
    result = _warp(pixels, level, drawn)
    sigma = drawn.blur * size / 128
    if sigma > 0.1:
        result = cv2.GaussianBlur(result, (0, 0), sigma)
    table = _tone(drawn, bool(is_negative(level)), 3 if colour else 1)
    result = cv2.LUT(result, table.reshape(1, 256, -1))
    if not colour:
        return np.broadcast_to(result.reshape(size, size, 1), (size, size, 3))
    start = drawn.offset % (_NOISE_POOL - result.size) if result.size < _NOISE_POOL else 0
    noise = np.resize(pool[start : start + result.size], result.shape)
    return np.clip(np.rint(result + drawn.noise * noise), 0, 255).astype(np.uint8)


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
    drawn, pool = _draw(samples, batchsize, np.random.default_rng(list(seed)), without)
    size = next(iter(samples.values())).images.shape[1]
    images = np.empty((len(drawn), size, size, 3), np.uint8)

    def render(start: int) -> None:
        for i, one in enumerate(drawn[start : start + _CHUNK], start):
            images[i] = _render(samples[one.band].images[one.row], one, pool)

    starts = range(0, len(drawn), _CHUNK)
    # Threads suffice: OpenCV gives up the interpreter lock.
    with ThreadPoolExecutor(workers or cpu_count() or 1) as executor:
        for _ in track(executor.map(render, starts), description, len(starts)):
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
