"""How the survey sees a galaxy: stars and neighbours, seeing, sky noise, and the stretch of the pictures (SDSS)."""

import math

import cv2
import galsim
import numpy as np

from inclinet.simulation.galaxy import relative_fluxes
from inclinet.simulation.population import Mock

__all__ = ["observe", "paint_field", "to_colour", "to_negatives"]

PIXEL = 0.396  # arcsec


SKY_MAG = np.array([21.84, 20.86, 20.20])  # mag / arcsec^2


GAIN = np.array([3.85, 4.73, 4.94])  # electrons per count


DARK = np.array([3.9, 1.2, 6.5])  # variance, counts^2


COUNT = np.array([0.0038, 0.0050, 0.0066])  # nanomaggies per count


LUPTON_SCALE = np.array([7.8, 5.7, 4.9])  # weights of the SDSS colour images, per nanomaggie in a pixel


def paint_field(mock: Mock, rng: np.random.Generator, size: int, pixel: float) -> np.ndarray:
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
    flux = 10 ** (0.4 * (22.5 - mag)) * relative_fluxes(g_r, r_i)
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
        colours = relative_fluxes(rng.normal(0.75, 0.25), rng.normal(0.38, 0.08)) * 10 ** (0.4 * (22.5 - mag))
        for image, colour in zip(images, colours, strict=True):
            image[overlap] += stamp[overlap] * float(colour)
    return field


def observe(scene: np.ndarray, rng: np.random.Generator, pixel: float) -> np.ndarray:
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


def to_negatives(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return g, r, i as dark on light, uint8 (3, size, size); the stretch follows the survey's cutouts."""
    softening = 0.7 * np.exp(rng.normal(0, 0.2))  # nanomaggies / arcsec^2
    depth = 48 * np.exp(rng.normal(0, 0.2))
    sky = rng.normal(238, 2, (3, 1, 1))
    return np.clip(sky - depth * np.arcsinh(frames / softening), 0, 255).round().astype(np.uint8)


def to_colour(frames: np.ndarray) -> np.ndarray:
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
