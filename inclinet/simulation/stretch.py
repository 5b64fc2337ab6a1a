"""How brightness becomes grey levels and colours in the survey's images."""

import numpy as np

from inclinet.simulation.observation import PIXEL

__all__ = ["to_colour", "to_negatives"]

# Of the SDSS colour images, per nanomaggie in a pixel: `scales` of the idlutils routine nw_scale_rgb.
_COLOUR_SCALES = np.array([7.8, 5.7, 4.9])
_FOREIGN_SKY = (15.0, 20.0, 33.0)  # of colour images of another survey, R, G, B
_DEEP, _FOREIGN = 0.06, 0.05  # shares of colour images
_HARD, _OVERFLOW = 0.3, 0.03  # shares of grayscale images: black cores; cores so black that they are white


def to_negatives(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the grayscale images, dark on a light sky, with a stretch like that of the survey's cutouts.

    The stretch of the Cosmicflows-4 images differs from galaxy to galaxy: the cores of some are black, and those of a
    few have run over to white.

    Parameters
    ----------
    frames : ndarray of float32, shape (3, size, size)
        Nanomaggies per arcsec².
    rng : Generator

    Returns
    -------
    ndarray of uint8, shape (3, size, size)
    """
    softening = 0.7 * np.exp(rng.normal(0, 0.5))  # nanomaggies / arcsec^2
    depth = 48 * np.exp(rng.normal(0, 0.35))
    if rng.random() < _HARD:
        softening, depth = 2 * softening, 2.5 * depth
    sky = rng.normal(238, 2, (3, 1, 1))
    gray = sky - depth * np.arcsinh(frames / softening)
    if rng.random() < _OVERFLOW:
        gray[gray < gray.min() / 2 - 20] = 255
    return np.clip(gray, 0, 255).round().astype(np.uint8)


def to_colour(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the colour image (R, G, B = i, r, g): asinh of the mean intensity, colours kept.

    Lupton et al. 2004 (PASP 116, 133), with the constants of `astropy.visualization.make_lupton_rgb`: stretch 5, Q 8, a
    tenth of the range linear. From release to release the images differ in brightness, and from field to field in tint.

    Parameters
    ----------
    frames : ndarray of float32, shape (3, size, size)
        Nanomaggies per arcsec².
    rng : Generator

    Returns
    -------
    ndarray of uint8, shape (size, size, 3)
    """
    stretch, q, linear = 5.0, 8.0, 0.1
    brightness = np.exp(rng.normal(0.35, 0.25)) * (3 if rng.random() < _DEEP else 1)
    scales = _COLOUR_SCALES * PIXEL**2 * brightness * np.exp(rng.normal(0, 0.03, 3))
    rgb = np.moveaxis((frames * scales[:, None, None])[::-1], 0, -1)
    intensity = np.maximum(rgb.mean(axis=-1, keepdims=True), 1e-6)
    slope = linear * 255 / np.arcsinh(linear * q)
    rgb = np.maximum(rgb * (slope * np.arcsinh(intensity * q / stretch) / intensity), 0)
    if rng.random() < _FOREIGN:
        rgb += _FOREIGN_SKY
    brightest = rgb.max(axis=-1, keepdims=True)
    return (rgb * np.minimum(1, 255 / np.maximum(brightest, 1))).round().astype(np.uint8)
