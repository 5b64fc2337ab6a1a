"""How a galaxy looks at its inclination, before seeing and noise: the disc's thickness, projection and extinction.

Light and extinction are integrated along every line of sight, so that arms, dust lanes and axis ratio all follow from
one inclination.
"""

import math

import cv2
import numpy as np

from inclinet.simulation.face_on import PLANE, REACH, paint_face_on
from inclinet.simulation.population import Mock

__all__ = ["THICKNESS", "paint_galaxy", "project_disc", "relative_fluxes"]

EXTINCTION = np.array([1.38, 1.0, 0.76])
"""A(band) / A(r) in g, r, i: Schlegel, Finkbeiner & Davis 1998 (ApJ 500, 525), table 6."""

THICKNESS = 1.8
"""Scale height of the thin disc's sech²(z / h_z) per scale length and per q0: it looks q0 thick when seen edge-on.

It is 1.91 by second moments (sqrt(3) / (pi / sqrt(12))) and 1.73 by the isophote at a typical D25.
"""

_YOUNG_HEIGHT, _DUST_HEIGHT = 0.4, 0.3  # scale heights relative to that of the old stars
_BULGE_COLOURS = (0.78, 0.40)  # g - r, r - i
_HALO_AXIS_RATIO, _HALO_COLOURS = 0.6, (0.65, 0.6)


def paint_galaxy(mock: Mock, rng: np.random.Generator, size: int, pixel: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the disc and the bulge of a galaxy without seeing or noise.

    Parameters
    ----------
    mock : Mock
    rng : Generator
        Draws the details of arms, knots and dust.
    size : int
        Pixels a side.
    pixel : float
        Side of a pixel in arcsec.

    Returns
    -------
    disc, bulge : ndarray of float32, shape (3, size, size)
        Bands g, r, i in nanomaggies per pixel; the halo is part of the bulge.
    """
    # Pixel coordinates along the major (u) and the minor axis (v), in scale lengths.
    axis = ((np.arange(size) - (size - 1) / 2) * pixel).astype(np.float32)
    x, y = np.meshgrid(axis - np.float32(mock.offset[0]), axis - np.float32(mock.offset[1]))
    turn = math.radians(mock.angle)
    u = (x * math.cos(turn) + y * math.sin(turn)) / np.float32(mock.h)
    v = (y * math.cos(turn) - x * math.sin(turn)) * np.float32(mock.near / mock.h)

    # The mid-plane of a warped disc leaves the plane of its inner parts beyond two scale lengths.
    v = v - np.float32(mock.warp * math.sin(_tilt(mock)) / 4) * np.sign(u) * np.square(np.maximum(np.abs(u) - 2, 0))

    disc, tau = _disc(mock, paint_face_on(mock, rng), u, v)
    disc /= disc[1].sum()
    bulge_flux = mock.bulge_fraction / (1 - mock.bulge_fraction)
    bulge = _bulge(mock, u, v, tau, flux=bulge_flux, softening=0.5 * pixel / mock.h)
    bulge += _halo(mock, u, v, flux=mock.halo_fraction * (1 + bulge_flux))
    # D25 is an isophote, of the galaxy as it is seen.
    scale = 10 ** (0.4 * (22.5 - mock.mu25_r)) * pixel**2 / _light_at_d25(mock, (disc + bulge)[1], u, v)
    return disc * np.float32(scale), bulge * np.float32(scale)


def _light_at_d25(mock: Mock, light: np.ndarray, u: np.ndarray, v: np.ndarray) -> float:
    """Return the mean light per pixel where the major axis reaches D25."""
    radius = np.hypot(u, v / np.float32(mock.axis_ratio)) * np.float32(mock.h / (30 * mock.d25))
    along = np.abs(u) * np.float32(mock.h / (30 * mock.d25)) > 0.6
    return float(light[(np.abs(radius - 1) < 0.08) & along].mean())


def relative_fluxes(g_r: float | np.ndarray, r_i: float | np.ndarray) -> np.ndarray:
    """Return the fluxes (3,) or (3, N) in g, r, i relative to r, of colours in mag."""
    return 10 ** (0.4 * np.array([-g_r, 0 * g_r, r_i]))


def _tilt(mock: Mock) -> float:
    """Return the inclination in rad, short of 90 deg, where the tangent has no bound."""
    return math.radians(min(mock.inclination, 89.5))


def _disc(mock: Mock, plane: np.ndarray, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what `project_disc` does, computed only in the rows that the disc reaches."""
    rows = np.flatnonzero(
        (np.abs(v) < REACH * math.cos(_tilt(mock)) + 5 * THICKNESS * mock.q0 * mock.thick_ratio).any(axis=1)
    )
    inside = slice(rows.min(), rows.max() + 1)
    light, tau = np.zeros((3, *u.shape), np.float32), np.zeros(u.shape, np.float32)
    light[:, inside], tau[inside] = project_disc(mock, plane, u[inside], v[inside])
    return light, tau


def project_disc(mock: Mock, plane: np.ndarray, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Integrate light and extinction through the disc along the line of sight of every pixel.

    The vertical profile is sech²(z / h_z), van der Kruit & Searle (1981, A&A 95, 105).

    Parameters
    ----------
    mock : Mock
    plane : ndarray of float32, shape (PLANE, PLANE, 3)
        The face-on maps of `paint_face_on`.
    u, v : ndarray of float32, shape (height, width)
        Pixel coordinates along the major and the minor axis, in scale lengths.

    Returns
    -------
    light : ndarray of float32, shape (3, height, width)
        Bands g, r, i, arbitrary scale.
    tau : ndarray of float32, shape (height, width)
        Optical depth in r through the whole disc.
    """
    cos, sin = math.cos(math.radians(mock.inclination)), math.sin(math.radians(mock.inclination))
    height = THICKNESS * mock.q0
    # The depth s where a line of sight is deepest in the disc, and the length over which it is inside.
    stiffness = sin**2 + cos**2 / height**2
    deepest, length = sin * cos * (1 / height**2 - 1) / stiffness, stiffness**-0.5
    reach = 5 * (mock.thick_ratio if mock.thick_fraction else 1)
    nodes = np.sinh(np.linspace(-2.9, 2.9, 31)) * (reach / np.sinh(2.9)) * length  # dense where the thin disc is
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
        flared = 1 + np.float32(mock.flare) * np.hypot(u, y)
        z /= flared
        sample /= flared[..., None]
        thick = np.float32(mock.thick_fraction) * _layer(z, height * mock.thick_ratio)
        old_stars = sample[..., 0] * (np.float32(1 - mock.thick_fraction) * _layer(z, height) + thick)
        young_stars = sample[..., 1] * _layer(z, height * _YOUNG_HEIGHT)
        half_tau = sample[..., 2] * _layer(z, height * _DUST_HEIGHT) * np.float32(step / 2)
        tau += half_tau
        for band in range(3):
            emitted = old_stars * np.float32(old[band] * step) + young_stars * np.float32(young[band] * step)
            light[band] += emitted * np.exp(tau * np.float32(-EXTINCTION[band]))
        tau += half_tau
    return light, tau


def _layer(z: np.ndarray, height: float) -> np.ndarray:
    """Return the vertical density sech²(z / height) / (2 height), whose integral over all z is 1."""
    tail = np.exp(np.abs(z) * np.float32(-2 / height))
    return tail / np.square(1 + tail) * np.float32(2 / height)


def _bulge(mock: Mock, u: np.ndarray, v: np.ndarray, tau: np.ndarray, *, flux: float, softening: float) -> np.ndarray:
    """Return an oblate bulge with a Sersic profile, partly behind the disc's dust: float32 (3, size, size).

    b(n) of Ciotti & Bertin (1999, A&A 352, 447). Half a pixel of `softening` (scale lengths) stands for the mean over
    the central pixel.
    """
    tilt = _tilt(mock)
    b = 2 * mock.bulge_n - 1 / 3 + 0.009876 / mock.bulge_n
    flat = math.sqrt(math.cos(tilt) ** 2 + mock.bulge_axis_ratio**2 * math.sin(tilt) ** 2)
    re = mock.bulge_re / mock.h
    radius2 = flat * u**2 + v**2 / flat + softening**2
    bulge = np.exp(-b * (radius2 / re**2) ** (0.5 / mock.bulge_n))
    bulge *= flux / bulge.sum()
    # Share of the bulge in front of the disc, for a modified Hubble profile along the line of sight.
    plane = v * math.tan(tilt)
    front = 0.5 + 0.5 * plane / np.sqrt(plane**2 + radius2 + re**2)
    dimmed = front + (1 - front) * np.exp(-EXTINCTION[:, None, None] * tau)
    return (relative_fluxes(*_BULGE_COLOURS)[:, None, None] * bulge * dimmed).astype(np.float32)


def _halo(mock: Mock, u: np.ndarray, v: np.ndarray, *, flux: float) -> np.ndarray:
    """Return a halo of old stars whose density falls with the third power of the radius: float32 (3, size, size).

    Zibetti, White & Brinkmann (2004, MNRAS 347, 556) found it round edge-on discs of SDSS, with an axis ratio of 0.6.
    """
    flat = math.sqrt(math.cos(_tilt(mock)) ** 2 + _HALO_AXIS_RATIO**2 * math.sin(_tilt(mock)) ** 2)
    halo = 1 / (1 + flat * u**2 + v**2 / flat)
    return (relative_fluxes(*_HALO_COLOURS)[:, None, None] * (halo * (flux / halo.sum()))).astype(np.float32)
