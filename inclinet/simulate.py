"""Mock spirals of known inclination, in the format of the survey's cutouts and catalogue.

A galaxy is painted face-on (old stars, young stars, dust), given its thickness, and projected by
integrating light and extinction along every line of sight, so that arms, dust lanes and axis ratio all
follow from one inclination. Seeing, sky noise, stars and neighbours follow SDSS.
"""

import io
import math
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import galsim
import numpy as np
from PIL import Image

from inclinet.errors import InclinetError
from inclinet.files import whole_file
from inclinet.naming import BANDS, SIMULATED_PGC
from inclinet.progress import Track, silent

__all__ = ["simulate"]

# Human inclinations of the Cosmicflows-4 spirals, counted in 5-degree bins from 45 to 90 deg.
INCLINATIONS = np.array([208, 942, 816, 961, 905, 1557, 1609, 1724, 2698])
TYPES = ("Sa", "Sab", "Sb", "Sbc", "Sc", "Scd", "Sd", "Sdm", "Sm")  # T = 1 ... 9

# SDSS imaging, in the order g, r, i; fluxes are in nanomaggies (22.5 mag = 1).
GRAY = BANDS[:3]
PIXEL = 0.396  # arcsec
SKY_MAG = np.array([21.84, 20.86, 20.20])  # mag / arcsec^2
GAIN = np.array([3.85, 4.73, 4.94])  # electrons per count
DARK = np.array([3.9, 1.2, 6.5])  # variance, counts^2
COUNT = np.array([0.0038, 0.0050, 0.0066])  # nanomaggies per count
EXTINCTION = np.array([1.38, 1.0, 0.76])  # A_band / A_r: Schlegel, Finkbeiner & Davis 1998, table 6
LUPTON_SCALE = np.array([7.8, 5.7, 4.9])  # weights of the SDSS colour images, per nanomaggie in a pixel

REACH = 6.0  # half-width of the face-on painting, in disc scale lengths
PLANE = 320  # its pixels a side
# Scale height of sech^2(z / h_z) that looks q0 thick edge-on, per q0 and scale length: 1.91 by second moments
# (sqrt(3) / (pi / sqrt(12))), 1.73 by the isophote of a typical D25.
THICKNESS = 1.8
YOUNG_HEIGHT, DUST_HEIGHT = 0.4, 0.3  # scale heights relative to that of the old stars


@dataclass(frozen=True)
class Mock:
    """One spiral; lengths in arcsec unless stated, colours in mag."""

    pgc: int
    inclination: float  # deg
    ty: float  # morphological type T
    d25: float  # arcmin
    h: float  # disc scale length
    mu0_r: float  # apparent central surface brightness of the disc, mag / arcsec^2
    q0: float  # apparent axis ratio of the disc edge-on
    old: tuple[float, float]  # g - r, r - i
    young: tuple[float, float]
    young_fraction: float  # of the disc's r light
    bulge_fraction: float  # of all r light
    bulge_n: float  # Sersic index
    bulge_re: float
    arms: int
    pitch: float  # deg, at two scale lengths
    unwinding: float  # change of the arms' phase per scale length, rad: makes the pitch vary with radius
    contrast: float
    patchiness: float
    bar: float  # half-length in scale lengths, 0 without a bar
    tau: float  # face-on optical depth in r at the centre
    angle: float  # of the major axis in the image, deg
    near: int  # +1 or -1: which side of the disc is nearer
    winding: int  # +1 or -1
    offset: tuple[float, float] = (0.0, 0.0)  # of the centre in the image

    @property
    def axis_ratio(self) -> float:
        """Apparent axis ratio of the disc (Hubble 1926)."""
        cos2 = math.cos(math.radians(self.inclination)) ** 2
        return math.sqrt(cos2 * (1 - self.q0**2) + self.q0**2)


def simulate(
    n: int,
    outfolder: Path,
    *,
    seed: int = 0,
    size: int = 256,
    workers: int | None = None,
    imroot: str = "d25x2_rot",
    track: Track = silent,
) -> Path:
    """Write the images and the catalogue of `n` mock spirals with inclinations of 45 to 90 deg.

    Images are `pgc<ID>_<imroot>_{g,r,i}.png` (8-bit, dark on light) and `pgc<ID>_<imroot>_gri.sdss.jpg`
    (RGB = i, r, g), each 2 D25 wide with the major axis nearly level. From 5 galaxies on, some are bad on
    purpose: face-on (6 %), merging (4 %), without one band (2 %), with a truncated file (1 %), at least one
    of each. Every galaxy has a row in the catalogue, `inc` being its true inclination rounded to a degree.

    Parameters
    ----------
    n : int
        Number of galaxies, at least 1.
    outfolder : Path
        Folder of the images and the catalogue; made if need be.
    seed : int
        The same seed, `n` and `size` give the same bytes, whatever the number of workers.
    size : int
        Pixels a side, at least 32.
    workers : int, optional
        Processes; 1 works in this one. None takes one per core, fewer for a few galaxies.
    imroot : str
        Part of the image names between the PGC number and the band.
    track : Track
        Shows the progress over the finished galaxies.

    Returns
    -------
    Path
        The catalogue, `outfolder/catalog.csv`.

    Raises
    ------
    InclinetError
        If `n`, `seed`, `size` or `workers` is too small.
    """
    for name, value, least in (("n", n, 1), ("seed", seed, 0), ("size", size, 32), ("workers", workers, 1)):
        if value is not None and value < least:
            raise InclinetError(f"simulate: {name} is {value}; give {least} or more")
    outfolder = Path(outfolder)
    outfolder.mkdir(parents=True, exist_ok=True)
    make = partial(_make, outfolder=outfolder, seed=seed, size=size, imroot=imroot)
    # A spawned process takes a second or two to start: not worth it for a few galaxies.
    workers = workers or min(os.cpu_count() or 1, math.ceil(n / 16))
    cases = enumerate(_cases(n, seed))
    if workers == 1:
        rows = list(track(map(make, cases), "mock galaxies", n))
    else:
        # Spawned, not forked: the caller may well have threads.
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, spawn, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
            rows = list(track(pool.map(make, cases, chunksize=4), "mock galaxies", n))
    catalog = outfolder / "catalog.csv"
    _write(catalog, _table(rows).encode())
    return catalog


def _cases(n: int, seed: int) -> list[str]:
    """Return what each galaxy is: `good` or one of the bad cases."""
    cases = ["good"] * n
    if n < 5:
        return cases
    order = iter(np.random.default_rng(np.random.SeedSequence(seed)).permutation(n))
    for case, share in (("face-on", 0.06), ("merger", 0.04), ("missing", 0.02), ("truncated", 0.01)):
        for _ in range(max(1, round(share * n))):
            cases[next(order)] = case
    return cases


def _make(job: tuple[int, str], *, outfolder: Path, seed: int, size: int, imroot: str) -> dict[str, str]:
    """Write the images of one galaxy; return its catalogue row."""
    index, case = job
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,)))
    mock = _draw(rng, SIMULATED_PGC + index)
    if case == "face-on":
        mock = replace(mock, inclination=rng.uniform(10, 40))
    pixel = 2 * 60 * mock.d25 / size
    disc, bulge = _galaxy(mock, rng, size, pixel)
    row = _row(mock, case, disc.sum((1, 2)), bulge.sum((1, 2)), rng)
    scene = disc + bulge + _field(mock, rng, size, pixel)
    if case == "merger":
        scene += sum(_galaxy(_companion(mock, rng), rng, size, pixel))
    frames = _observe(scene, rng, pixel)

    stem = f"pgc{mock.pgc}_{imroot}"
    files = {f"{stem}_{band}.png": image for band, image in zip(GRAY, _negatives(frames, rng), strict=True)}
    files[f"{stem}_gri.sdss.jpg"] = _lupton(frames)
    victim = f"{stem}_{rng.choice(GRAY)}.png"
    for name, image in files.items():
        content = _encode(image, Path(name).suffix)
        if name == victim and case == "truncated":
            content = content[: len(content) // 2]
        if name == victim and case == "missing":
            (outfolder / name).unlink(missing_ok=True)
        else:
            _write(outfolder / name, content)
    return row


def _draw(rng: np.random.Generator, pgc: int) -> Mock:
    """Draw a spiral from the distributions of the Cosmicflows-4 catalogue."""
    first = 45 + 5 * rng.choice(len(INCLINATIONS), p=INCLINATIONS / INCLINATIONS.sum())
    ty = float(np.clip(rng.normal(4.2, 2.0), 1, 9))
    d25 = float(np.clip(1.06 * np.exp(rng.normal(0, 0.47)), 0.4, 4))
    extent = np.clip(rng.normal(3.6, 0.8), 1.9, 5.2)  # (D25 / 2) / h
    h = 30 * d25 / extent
    barred = rng.random() < 0.5
    return Mock(
        pgc=pgc,
        inclination=first + rng.uniform(0, 5),
        ty=ty,
        d25=d25,
        h=h,
        mu0_r=rng.normal(23.6, 0.35) - 1.086 * extent,  # D25 is an isophote: a compact disc is a bright one
        q0=float(np.clip(rng.normal(0.2 - 0.006 * (ty - 4), 0.02), 0.13, 0.27)),
        old=(rng.normal(0.66, 0.05), rng.normal(0.34, 0.02)),
        young=(rng.normal(0.08, 0.08), rng.normal(0.04, 0.04)),
        young_fraction=float(np.clip(rng.normal(0.08 + 0.06 * ty, 0.07), 0.05, 0.65)),
        bulge_fraction=float(np.clip(0.33 * np.exp((1 - ty) / 3.5 + rng.normal(0, 0.35)), 0, 0.5)),
        bulge_n=rng.uniform(1, 3.7 - 0.3 * ty),
        bulge_re=h * rng.uniform(0.15, 0.4),
        arms=int(rng.choice([2, 2, 2, 3, 4])),
        pitch=float(np.clip(rng.normal(14 + ty, 4), 8, 30)),
        unwinding=rng.uniform(-0.5, 0.5) * (rng.random() < 0.67),
        contrast=rng.uniform(0.4, 1.0),
        patchiness=rng.uniform(0.3, 1.0),
        bar=rng.uniform(0.5, 1.2) if barred else 0.0,
        tau=0.8 * np.exp(rng.normal(0, 0.6)) * (1.2 - 0.1 * ty),
        angle=rng.normal(0, 3),
        near=int(rng.choice([-1, 1])),
        winding=int(rng.choice([-1, 1])),
        offset=tuple(rng.normal(0, 0.4, 2)),
    )


def _companion(mock: Mock, rng: np.random.Generator) -> Mock:
    """Draw a spiral that overlaps with `mock`."""
    side, shift = rng.uniform(0, 2 * np.pi), rng.uniform(0.25, 0.6) * 60 * mock.d25
    return replace(
        _draw(rng, mock.pgc),
        h=mock.h * rng.uniform(0.4, 1.0),
        mu0_r=mock.mu0_r + rng.uniform(-0.8, 0.8),
        angle=rng.uniform(0, 180),
        offset=(shift * np.cos(side), shift * np.sin(side)),
    )


def _sed(g_r: float | np.ndarray, r_i: float | np.ndarray) -> np.ndarray:
    """Return the fluxes (3,) or (3, N) in g, r, i relative to r."""
    return 10 ** (0.4 * np.array([-g_r, 0 * g_r, r_i]))


def _noise_field(rng: np.random.Generator, cells: int) -> np.ndarray:
    """Return smooth Gaussian noise, `cells` independent cells a side: float32 (PLANE, PLANE)."""
    cells = rng.normal(size=(cells, cells)).astype(np.float32)
    return cv2.resize(cells, (PLANE, PLANE), interpolation=cv2.INTER_CUBIC)


def _paint(mock: Mock, rng: np.random.Generator) -> np.ndarray:
    """Paint the disc face-on: float32 (PLANE, PLANE, 3) of old light, young light and optical depth in r.

    Both lights sum to 1. Arms are logarithmic spirals, ``phi = ln(r) / tan(pitch)``, made uneven by noise.
    """
    axis = np.linspace(-REACH, REACH, PLANE, dtype=np.float32)
    x, y = np.meshgrid(axis, mock.winding * axis)
    r = np.hypot(x, y)
    patches = mock.patchiness * (_noise_field(rng, 14) + 0.7 * _noise_field(rng, 45))
    tight = 1 / math.tan(math.radians(mock.pitch))
    swing = tight * np.log(r / 2 + 0.05) + mock.unwinding * (r - 2) + rng.uniform(0, 2 * np.pi)
    phase = mock.arms * (np.arctan2(y, x) - swing) + 0.5 * patches

    def arms(lag: float, sharpness: float) -> np.ndarray:
        crest = np.exp(sharpness * (np.cos(phase - lag) - 1))
        return 1 - mock.contrast + mock.contrast * crest / crest.mean()

    edge = 1 / (1 + np.exp((r - 4.8) / 0.3))
    old = np.exp(-r) * (0.6 + 0.4 * arms(0, 1)) * edge
    if mock.bar:
        turn = rng.uniform(0, np.pi)
        along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
        old += 0.5 * np.exp(-((along / mock.bar) ** 4) - (across / (0.25 * mock.bar)) ** 2)
    young = np.exp(-r / 1.2 - np.exp(1 - 3 * r) + 0.8 * patches) * arms(0, 3) * edge
    young /= young.sum()
    knots = rng.choice(PLANE**2, size=rng.integers(20, 120), p=young.ravel() / young.sum(dtype=float))
    bright = np.zeros(PLANE**2, np.float32)
    np.add.at(bright, knots, rng.exponential(size=len(knots)).astype(np.float32))
    young += 0.25 * cv2.GaussianBlur(bright.reshape(r.shape), (0, 0), 2) / bright.sum()
    # Dust lies on the concave side of the arms.
    dust = mock.tau * np.exp(-r / 1.3 + 0.5 * patches) * (0.5 + 0.5 * arms(0.6, 3)) * edge
    return np.dstack([old / old.sum(), young / young.sum(), dust]).astype(np.float32)


def _layer(z: np.ndarray, height: float) -> np.ndarray:
    """Return the vertical density ``sech^2(z / height)``, integral 1."""
    tail = np.exp(np.abs(z) * np.float32(-2 / height))
    return tail / np.square(1 + tail) * np.float32(2 / height)


def _project(mock: Mock, plane: np.ndarray, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Integrate light and extinction through the disc along the line of sight of every pixel.

    Parameters
    ----------
    mock : Mock
        The galaxy.
    plane : ndarray
        What `_paint` returned.
    u, v : ndarray
        Pixel coordinates along the major and the minor axis, in scale lengths, float32 (height, width).

    Returns
    -------
    light : ndarray
        float32 (3, height, width), bands g, r, i, arbitrary scale.
    tau : ndarray
        Optical depth in r through the whole disc, float32 (height, width).
    """
    cos, sin = math.cos(math.radians(mock.inclination)), math.sin(math.radians(mock.inclination))
    height = THICKNESS * mock.q0
    # The depth s where a line of sight is deepest in the disc, and the length over which it is inside.
    stiffness = sin**2 + cos**2 / height**2
    deepest, length = sin * cos * (1 / height**2 - 1) / stiffness, stiffness**-0.5
    nodes = np.sinh(np.linspace(-2.2, 2.2, 25)) * (5 / np.sinh(2.2)) * length
    old = (1 - mock.young_fraction) * _sed(*mock.old)
    young = mock.young_fraction * _sed(*mock.young)
    light = np.zeros((3, *u.shape), np.float32)
    tau = np.zeros(u.shape, np.float32)
    to_plane = np.float32((PLANE - 1) / (2 * REACH))
    column = (u + REACH) * to_plane
    for node, step in zip(nodes, np.gradient(nodes), strict=True):  # from the observer backwards
        s = v * np.float32(deepest) + np.float32(node)
        y, z = v * np.float32(cos) + s * np.float32(sin), s * np.float32(cos) - v * np.float32(sin)
        sample = cv2.remap(plane, column, (y + REACH) * to_plane, cv2.INTER_LINEAR)
        stars = sample[..., 0] * _layer(z, height)
        newborn = sample[..., 1] * _layer(z, height * YOUNG_HEIGHT)
        half = sample[..., 2] * _layer(z, height * DUST_HEIGHT) * np.float32(step / 2)
        tau += half
        for band in range(3):
            emitted = stars * np.float32(old[band] * step) + newborn * np.float32(young[band] * step)
            light[band] += emitted * np.exp(tau * np.float32(-EXTINCTION[band]))
        tau += half
    return light, tau


def _galaxy(mock: Mock, rng: np.random.Generator, size: int, pixel: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the disc and the bulge without seeing or noise: float32 (3, size, size), nanomaggies a pixel.

    The first axis is g, r, i; `pixel` is in arcsec.
    """
    axis = ((np.arange(size) - (size - 1) / 2) * pixel).astype(np.float32)
    x, y = np.meshgrid(axis - np.float32(mock.offset[0]), axis - np.float32(mock.offset[1]))
    turn = math.radians(mock.angle)
    u = (x * math.cos(turn) + y * math.sin(turn)) / np.float32(mock.h)
    v = (y * math.cos(turn) - x * math.sin(turn)) * np.float32(mock.near / mock.h)
    tilt = math.radians(min(mock.inclination, 89.5))
    rows = np.flatnonzero((np.abs(v) < REACH * math.cos(tilt) + 5 * THICKNESS * mock.q0).any(axis=1))
    inside = slice(rows.min(), rows.max() + 1)
    disc, tau = np.zeros((3, size, size), np.float32), np.zeros((size, size), np.float32)
    disc[:, inside], tau[inside] = _project(mock, _paint(mock, rng), u[inside], v[inside])
    flux = 10 ** (0.4 * (22.5 - mock.mu0_r)) * 2 * np.pi * mock.h**2 * mock.axis_ratio
    disc *= np.float32(flux / disc[1].sum())

    # Sersic profile; b(n) of Ciotti & Bertin 1999. An oblate bulge of intrinsic axis ratio 0.65.
    b = 2 * mock.bulge_n - 1 / 3 + 0.009876 / mock.bulge_n
    flat = math.sqrt(math.cos(tilt) ** 2 + 0.65**2 * math.sin(tilt) ** 2)
    re = mock.bulge_re / mock.h
    # Half a pixel of softening stands for the mean over the central pixel.
    radius2 = flat * u**2 + v**2 / flat + (0.5 * pixel / mock.h) ** 2
    bulge = np.exp(-b * (radius2 / re**2) ** (0.5 / mock.bulge_n))
    bulge *= flux * mock.bulge_fraction / (1 - mock.bulge_fraction) / bulge.sum()
    # Share of the bulge in front of the disc, for a modified Hubble profile along the line of sight.
    plane = v * math.tan(tilt)
    front = 0.5 + 0.5 * plane / np.sqrt(plane**2 + radius2 + re**2)
    dimmed = front + (1 - front) * np.exp(-EXTINCTION[:, None, None] * tau)
    return disc, (_sed(0.78, 0.40)[:, None, None] * bulge * dimmed).astype(np.float32)


def _field(mock: Mock, rng: np.random.Generator, size: int, pixel: float) -> np.ndarray:
    """Return stars and other galaxies without seeing: float32 (3, size, size), nanomaggies a pixel."""
    area = (size * pixel / 60) ** 2  # arcmin^2
    density = 3 * np.exp(rng.normal(0, 0.6))
    field = np.zeros((3, size, size), np.float32)
    # Counts per magnitude grow as 10^(slope m) up to the limit: m = limit - Exponential / (slope ln 10).
    n = rng.poisson(density * area)
    mag = 22.0 - np.minimum(rng.exponential(size=n) / (0.25 * np.log(10)), 8.0)
    # Two kinds of stars: near the halo's turn-off, and M dwarfs.
    red = rng.random(n) < 0.4
    g_r = np.where(red, rng.normal(1.4, 0.1, n), rng.normal(0.5, 0.2, n))
    r_i = np.where(red, rng.uniform(0.5, 1.1, n), 0.4 * g_r)
    flux = 10 ** (0.4 * (22.5 - mag)) * _sed(g_r, r_i)
    np.add.at(field, (slice(None), *rng.integers(0, size, (2, n))), flux)

    n = rng.poisson(2 * density * area)
    mags = np.sort(22.5 - np.minimum(rng.exponential(size=n) / (0.4 * np.log(10)), 6.0))[:20]
    sizes = rng.uniform(0.4, 1.2, len(mags)) * 10 ** (0.12 * (22.0 - mags))  # half-light radius, arcsec
    if rng.random() < 0.12:  # a neighbour to be mistaken for
        mags = np.append(mags, rng.uniform(15, 17.5))
        sizes = np.append(sizes, rng.uniform(0.15, 0.4) * mock.h)
    sizes = np.hypot(sizes, pixel)  # what is smaller than a pixel has no shape
    images = [galsim.ImageF(band, xmin=0, ymin=0) for band in field]
    for mag, half_light in zip(mags, sizes, strict=True):
        shape = galsim.Shear(q=rng.uniform(0.25, 1), beta=rng.uniform(0, np.pi) * galsim.radians)
        profile = galsim.Exponential(half_light_radius=half_light).shear(shape)
        center = galsim.PositionD(*rng.uniform(0, size - 1, 2))
        side = 8 + 2 * math.ceil(4 * half_light / pixel)
        stamp = profile.drawImage(nx=side, ny=side, scale=pixel, center=center, method="no_pixel")
        overlap = stamp.bounds & images[0].bounds
        colours = _sed(rng.normal(0.75, 0.25), rng.normal(0.38, 0.08)) * 10 ** (0.4 * (22.5 - mag))
        for image, colour in zip(images, colours, strict=True):
            image[overlap] += stamp[overlap] * float(colour)
    return field


def _observe(scene: np.ndarray, rng: np.random.Generator, pixel: float) -> np.ndarray:
    """Add seeing and noise; return sky-subtracted nanomaggies / arcsec^2, float32 (3, size, size).

    Noise is that of an SDSS exposure: counts and read-out in pixels of 0.396 arcsec. Cutouts with finer
    pixels are interpolated, so their noise is correlated, as in the survey's cutouts.
    """
    size = scene.shape[1]
    seeing = 1.43 * np.exp(rng.normal(0, 0.1)) * np.array([1.05, 1.0, 0.95])  # FWHM, arcsec
    seeing = np.hypot(seeing, pixel)  # the cutout's own pixels blur too
    native = min(size, math.ceil(size * pixel / PIXEL))
    frames = np.empty(scene.shape, np.float32)
    for k in range(3):
        side = 2 * math.ceil(4 * seeing[k] / pixel) + 1
        psf = galsim.Moffat(beta=3, fwhm=seeing[k])
        psf = psf.drawImage(nx=side, ny=side, scale=pixel, method="no_pixel").array
        blurred = cv2.filter2D(scene[k], -1, psf / psf.sum(), borderType=cv2.BORDER_REFLECT)
        signal = blurred / np.float32(pixel**2)
        sky = 10 ** (0.4 * (22.5 - SKY_MAG[k]))
        counts = (np.maximum(signal, 0) + np.float32(sky)) * np.float32(PIXEL**2 / COUNT[k])
        noise = np.sqrt(counts / GAIN[k] + DARK[k]) * (COUNT[k] / PIXEL / max(pixel, PIXEL))
        unit = rng.standard_normal((native, native), dtype=np.float32)
        frames[k] = signal + noise * cv2.resize(unit, (size, size), interpolation=cv2.INTER_CUBIC)
    return frames


def _negatives(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return g, r, i as dark on light, uint8 (3, size, size); the stretch follows the survey's cutouts."""
    softening = 0.7 * np.exp(rng.normal(0, 0.2))  # nanomaggies / arcsec^2
    depth = 48 * np.exp(rng.normal(0, 0.2))
    sky = rng.normal(238, 2, (3, 1, 1))
    return np.clip(sky - depth * np.arcsinh(frames / softening), 0, 255).round().astype(np.uint8)


def _lupton(frames: np.ndarray) -> np.ndarray:
    """Return the colour image, uint8 (size, size, 3): asinh of the mean intensity, colours kept.

    Lupton et al. 2004 (PASP 116, 133), with the constants of `astropy.visualization.make_lupton_rgb`:
    stretch 5, Q 8, a tenth of the range linear.
    """
    stretch, q, linear = 5.0, 8.0, 0.1
    rgb = np.moveaxis((frames * (LUPTON_SCALE * PIXEL**2)[:, None, None])[::-1], 0, -1)
    intensity = np.maximum(rgb.mean(axis=-1, keepdims=True), 1e-6)
    slope = linear * 255 / np.arcsinh(linear * q)
    rgb = np.maximum(rgb * (slope * np.arcsinh(intensity * q / stretch) / intensity), 0)
    brightest = rgb.max(axis=-1, keepdims=True)
    return (rgb * np.minimum(1, 255 / np.maximum(brightest, 1))).round().astype(np.uint8)


def _encode(image: np.ndarray, suffix: str) -> bytes:
    """Return the image file, PNG or JPEG."""
    buffer = io.BytesIO()
    options = {"format": "PNG", "compress_level": 3} if suffix == ".png" else {"format": "JPEG", "quality": 90}
    Image.fromarray(image).save(buffer, **options)
    return buffer.getvalue()


def _row(mock: Mock, case: str, disc: np.ndarray, bulge: np.ndarray, rng: np.random.Generator) -> dict[str, str]:
    """Return the catalogue row; `disc` and `bulge` are fluxes (3,) in nanomaggies."""
    true = mock.axis_ratio
    ratios = np.clip(true + rng.normal(0, 0.04, 2), 0.05, 1)
    pa = rng.uniform(0, 180)
    name = TYPES[round(mock.ty) - 1]
    row = {
        "pgc": f"{mock.pgc}",
        "ra": f"{rng.uniform(110, 260):.4f}",
        "dec": f"{rng.uniform(0, 60):.4f}",
        "d25": f"{mock.d25:.2f}",
        "b_a": f"{ratios[0]:.2f}",
        "pa": f"{pa:.1f}",
        "ty": f"{mock.ty:.1f}",
        "type": "SB" + name[1:] if mock.bar else name,
        "sdss": "1",
    }
    h = mock.h * rng.normal(1, 0.03, 3)
    mags = 22.5 - 2.5 * np.log10(disc + bulge)
    mu0 = 22.5 - 2.5 * np.log10(disc / (2 * np.pi * h**2 * true))
    row |= {f"{band}_mag": f"{mag:.2f}" for band, mag in zip(GRAY, mags, strict=True)}
    row |= {"Sba": f"{ratios[1]:.2f}", "Spa": f"{(pa + rng.normal(0, 3)) % 180:.1f}"}
    row |= {f"disc_mu0_{band}": f"{mu:.2f}" for band, mu in zip(GRAY, mu0, strict=True)}
    row |= {f"h_{band}": f"{length / 60:.2f}" for band, length in zip(GRAY, h, strict=True)}
    row |= {"fon": "", "inc": f"{round(mock.inclination)}", "inc_e": f"{rng.integers(1, 5)}"}
    row |= {"inc_flg": "0", "inc_n": f"{rng.integers(3, 13)}", "inc_note": ""}
    if case == "face-on":
        # People write it in the column, in the note or in both.
        fon, note = (("F", ""), ("", "[face_on]"), ("F", "[bad_TF] [face_on]"))[rng.integers(3)]
        row |= {"fon": fon, "inc": ("", "0")[rng.integers(2)], "inc_e": "0", "inc_note": note}
        row["inc_flg"] = f"{rng.integers(1, 4)}"
    if case == "merger":
        row |= {"inc": "0", "inc_e": "0", "inc_note": "[merger] [multiple]"}
        row["inc_flg"] = f"{rng.integers(1, 3)}"
    return row


def _table(rows: list[dict[str, str]]) -> str:
    """Return the catalogue: columns split by `|` and padded with spaces to one width."""
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = [[cell.rjust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    return "".join(" | ".join(line) + "\n" for line in padded)


def _write(path: Path, content: bytes) -> None:
    with whole_file(path) as part:
        part.write_bytes(content)
