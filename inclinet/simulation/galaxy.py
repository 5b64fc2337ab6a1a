"""How one galaxy is painted: face-on first, then given its thickness and projected.

Light and extinction are integrated along every line of sight, so that arms, dust lanes and axis ratio all follow from one
inclination.
"""

import math

import cv2
import numpy as np

from inclinet.simulation.population import Mock

__all__ = ["paint_galaxy", "relative_fluxes"]

EXTINCTION = np.array([1.38, 1.0, 0.76])  # A_band / A_r: Schlegel, Finkbeiner & Davis 1998, table 6


REACH = 6.0  # half-width of the face-on painting, in disc scale lengths


PLANE = 320  # its pixels a side


# Scale height of sech^2(z / h_z) that looks q0 thick edge-on, per q0 and scale length: 1.91 by second moments
# (sqrt(3) / (pi / sqrt(12))), 1.73 by the isophote of a typical D25.
THICKNESS = 1.8


YOUNG_HEIGHT, DUST_HEIGHT = 0.4, 0.3  # scale heights relative to that of the old stars


def relative_fluxes(g_r: float | np.ndarray, r_i: float | np.ndarray) -> np.ndarray:
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
    old = (1 - mock.young_fraction) * relative_fluxes(*mock.old)
    young = mock.young_fraction * relative_fluxes(*mock.young)
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


def paint_galaxy(mock: Mock, rng: np.random.Generator, size: int, pixel: float) -> tuple[np.ndarray, np.ndarray]:
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
    return disc, (relative_fluxes(0.78, 0.40)[:, None, None] * bulge * dimmed).astype(np.float32)
