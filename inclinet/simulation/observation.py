"""How the survey (SDSS) sees a galaxy: stars and neighbours, seeing, and sky noise.

Fluxes are in nanomaggies (22.5 mag = 1). The first axis of every array is the band, in the order of
`inclinet.data.bands.GRAY_BANDS`: g, r, i.
"""

import math

import cv2
import galsim
import numpy as np

from inclinet.simulation.defects import spoil
from inclinet.simulation.galaxy import relative_fluxes
from inclinet.simulation.population import Mock

__all__ = ["PIXEL", "SEEING", "observe", "paint_field"]

PIXEL = 0.396
"""Side of a pixel of the SDSS camera, arcsec."""

SEEING = 1.43
"""Median width (FWHM) of the point spread function in r, arcsec: sdss.org/DR7/products/general/seeing.html."""

# Of an SDSS exposure in g, r, i. The sky in r is the median given on the page above. Gains and dark variances are about
# the means over the six columns of the camera, from the data model of the SDSS-III `frame` files.
_SKY_MAG = np.array([21.84, 20.86, 20.20])  # mag / arcsec^2
_GAIN = np.array([3.85, 4.73, 4.94])  # electrons per count
_DARK = np.array([3.9, 1.2, 6.5])  # variance of read-out and dark current, counts^2
_COUNT = np.array([0.0038, 0.0050, 0.0066])  # nanomaggies per count

_STAR_SLOPE, _STAR_LIMIT = 0.25, 22.0  # of the stars' counts: d log10(N) / dm, faintest mag
_GALAXY_SLOPE, _GALAXY_LIMIT = 0.4, 22.5
_MAX_FIELD_GALAXIES = 20
_BRIGHT_NEIGHBOUR = 0.12  # share of images with a neighbour that could be mistaken for the galaxy


def paint_field(mock: Mock, rng: np.random.Generator, size: int, pixel: float) -> np.ndarray:
    """Return stars and other galaxies in the image of `mock`, without seeing.

    Parameters
    ----------
    mock : Mock
    rng : Generator
    size : int
        Pixels a side.
    pixel : float
        Side of a pixel in arcsec.

    Returns
    -------
    ndarray of float32, shape (3, size, size)
        Nanomaggies per pixel.
    """
    mean_stars = 3 * np.exp(rng.normal(0, 0.6)) * (size * pixel / 60) ** 2  # 3 per arcmin^2 on average
    field = np.zeros((3, size, size), np.float32)
    _add_stars(field, rng, mean_stars)
    _add_galaxies(field, rng, 2 * mean_stars, mock, pixel)
    return field


def _draw_magnitudes(rng: np.random.Generator, n: int, slope: float, limit: float, span: float) -> np.ndarray:
    """Draw magnitudes (n,) whose counts grow as 10^(slope m) from `limit` − `span` to `limit`."""
    return limit - np.minimum(rng.exponential(size=n) / (slope * np.log(10)), span)


def _add_stars(field: np.ndarray, rng: np.random.Generator, mean_stars: float) -> None:
    n = rng.poisson(mean_stars)
    mag = _draw_magnitudes(rng, n, _STAR_SLOPE, _STAR_LIMIT, 8.0)
    # Two kinds of stars: near the turn-off of the halo, and M dwarfs.
    is_dwarf = rng.random(n) < 0.4
    g_r = np.where(is_dwarf, rng.normal(1.4, 0.1, n), rng.normal(0.5, 0.2, n))
    r_i = np.where(is_dwarf, rng.uniform(0.5, 1.1, n), 0.4 * g_r)
    flux = 10 ** (0.4 * (22.5 - mag)) * relative_fluxes(g_r, r_i)
    np.add.at(field, (slice(None), *rng.integers(0, field.shape[1], (2, n))), flux)


def _add_galaxies(field: np.ndarray, rng: np.random.Generator, mean_galaxies: float, mock: Mock, pixel: float) -> None:
    """Add exponential discs; now and then one of them is bright enough to be mistaken for `mock`."""
    n = rng.poisson(mean_galaxies)
    mags = np.sort(_draw_magnitudes(rng, n, _GALAXY_SLOPE, _GALAXY_LIMIT, 6.0))[:_MAX_FIELD_GALAXIES]
    radii = rng.uniform(0.4, 1.2, len(mags)) * 10 ** (0.12 * (22.0 - mags))  # half-light radius, arcsec
    if rng.random() < _BRIGHT_NEIGHBOUR:
        mags = np.append(mags, rng.uniform(15, 17.5))
        radii = np.append(radii, rng.uniform(0.15, 0.4) * mock.h)
    radii = np.hypot(radii, pixel)  # a galaxy smaller than a pixel shows no shape
    images = [galsim.ImageF(band, xmin=0, ymin=0) for band in field]  # views: drawing into them fills `field`
    for mag, radius in zip(mags, radii, strict=True):
        shape = galsim.Shear(q=rng.uniform(0.25, 1), beta=rng.uniform(0, np.pi) * galsim.radians)
        profile = galsim.Exponential(half_light_radius=radius).shear(shape)
        center = galsim.PositionD(*rng.uniform(0, field.shape[1] - 1, 2))
        side = 8 + 2 * math.ceil(4 * radius / pixel)
        stamp = profile.drawImage(nx=side, ny=side, scale=pixel, center=center, method="no_pixel")
        overlap = stamp.bounds & images[0].bounds
        fluxes = relative_fluxes(rng.normal(0.75, 0.25), rng.normal(0.38, 0.08)) * 10 ** (0.4 * (22.5 - mag))
        for image, flux in zip(images, fluxes, strict=True):
            image[overlap] += stamp[overlap] * float(flux)


def observe(scene: np.ndarray, rng: np.random.Generator, pixel: float) -> np.ndarray:
    """Add seeing, noise and what spoils images, and subtract the sky.

    The noise is that of an SDSS exposure, counts and read-out in pixels of 0.396 arcsec. Cutouts with finer pixels are
    interpolated, so their noise is correlated, as in the survey's cutouts.

    Parameters
    ----------
    scene : ndarray of float32, shape (3, size, size)
        Nanomaggies per pixel.
    rng : Generator
    pixel : float
        Side of a pixel in arcsec.

    Returns
    -------
    ndarray of float32, shape (3, size, size)
        Nanomaggies per arcsec².
    """
    size = scene.shape[1]
    seeing = SEEING * np.exp(rng.normal(0, 0.1)) * np.array([1.05, 1.0, 0.95])  # FWHM, arcsec
    seeing = np.hypot(seeing, pixel)  # the cutout's own pixels blur too
    camera_pixels = min(size, math.ceil(size * pixel / PIXEL))
    frames = np.empty(scene.shape, np.float32)
    for k in range(3):
        side = 2 * math.ceil(4 * seeing[k] / pixel) + 1
        moffat = galsim.Moffat(beta=3, fwhm=seeing[k])
        psf = moffat.drawImage(nx=side, ny=side, scale=pixel, method="no_pixel").array
        blurred = cv2.filter2D(scene[k], -1, psf / psf.sum(), borderType=cv2.BORDER_REFLECT)
        signal = blurred / np.float32(pixel**2)
        sky = 10 ** (0.4 * (22.5 - _SKY_MAG[k]))
        counts = (np.maximum(signal, 0) + np.float32(sky)) * np.float32(PIXEL**2 / _COUNT[k])
        noise = np.sqrt(counts / _GAIN[k] + _DARK[k]) * (_COUNT[k] / PIXEL / max(pixel, PIXEL))
        unit = rng.standard_normal((camera_pixels, camera_pixels), dtype=np.float32)
        frames[k] = signal + noise * cv2.resize(unit, (size, size), interpolation=cv2.INTER_CUBIC)
    spoil(frames, rng, pixel)
    return frames
