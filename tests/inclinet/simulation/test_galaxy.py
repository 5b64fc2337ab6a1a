import dataclasses

import galsim
import numpy as np
import pytest

from inclinet.simulation.face_on import PLANE, REACH
from inclinet.simulation.galaxy import THICKNESS, paint_galaxy, project_disc
from inclinet.simulation.population import draw_spiral


def axis_ratio(image):
    """Axis ratio by second moments about the centre of light."""
    y, x = np.indices(image.shape)
    weights = image.ravel() / image.sum()
    values = np.linalg.eigvalsh(np.cov(np.array([x.ravel(), y.ravel()]), aweights=weights))
    return np.sqrt(values[0] / values[1])


def paint(mock, size=128):
    return paint_galaxy(mock, np.random.default_rng(1), size, 2 * 60 * mock.d25 / size)


@pytest.mark.parametrize("inclination", [50, 80, 90])
def test_a_smooth_disc_without_dust_is_galsims(inclination):
    mock = dataclasses.replace(draw_spiral(np.random.default_rng(0), 1), young_fraction=0.0, q0=0.2)
    mock = dataclasses.replace(mock, inclination=inclination, thick_fraction=0.0, flare=0.0)
    axis = np.linspace(-REACH, REACH, PLANE, dtype=np.float32)
    light = np.exp(-np.hypot(*np.meshgrid(axis, axis)))
    plane = np.dstack([light, np.zeros_like(light), np.zeros_like(light)])
    scale_length = 8
    u, v = np.meshgrid(*2 * [(np.arange(64, dtype=np.float32) - 31.5) / scale_length])
    ours = project_disc(mock, plane, u, v)[0][1]
    disc = galsim.InclinedExponential(
        inclination * galsim.degrees,
        scale_radius=scale_length,
        scale_h_over_r=THICKNESS * mock.q0,
    )
    theirs = disc.drawImage(nx=64, ny=64, scale=1, method="no_pixel").array
    ours, theirs = ours / ours.sum(), theirs / theirs.sum()
    assert ours == pytest.approx(theirs, abs=0.03 * float(theirs.max()))


def test_axis_ratio_follows_the_inclination():
    inclinations = [45, 55, 65, 75, 85, 90]
    measured = []
    for k in range(6):
        mock = draw_spiral(np.random.default_rng(k), 1)
        mock = dataclasses.replace(mock, q0=0.2, thick_fraction=0.0, warp=0.0, ring=0.0, flare=0.0)
        mock = dataclasses.replace(mock, disc_break=6.0, ellipticity=0.0, lopsidedness=0.0, young_fraction=0.2)
        tilted = [dataclasses.replace(mock, inclination=i) for i in inclinations]
        measured.append([axis_ratio(paint(m)[0][1]) for m in tilted])
    assert (np.diff(measured) < 0).all()
    # Hubble's formula. Arms and bars make single galaxies scatter about it.
    expected = np.sqrt(np.cos(np.radians(inclinations)) ** 2 * (1 - 0.2**2) + 0.2**2)
    assert np.mean(measured, axis=0) == pytest.approx(expected, abs=0.03)
    assert np.std(measured, axis=0).max() < 0.06


def test_a_thick_disc_makes_the_disc_look_thicker_and_a_warp_bends_it():
    mock = draw_spiral(np.random.default_rng(3), 1)
    mock = dataclasses.replace(mock, inclination=88, thick_fraction=0.0, thick_ratio=3.0, warp=0.0, angle=0.0)
    thin, thick, warped = (
        paint(dataclasses.replace(mock, **changes))[0][1] for changes in ({}, {"thick_fraction": 0.5}, {"warp": 1.0})
    )
    assert axis_ratio(thick) > 1.2 * axis_ratio(thin)
    rows = np.arange(128)[:, None]
    centre = (warped * rows).sum(0) / np.maximum(warped.sum(0), 1e-9)
    straight = (thin * rows).sum(0) / np.maximum(thin.sum(0), 1e-9)
    bent = centre - straight
    assert abs(bent[60:68].mean()) < 0.5
    assert bent[20] * bent[107] < 0  # the two sides bend to opposite directions
    assert abs(bent[20]) > 1


@pytest.mark.parametrize("inclination", [50, 75, 90])
def test_a_galaxy_has_its_brightness_at_d25(inclination):
    mock = draw_spiral(np.random.default_rng(5), 1)
    mock = dataclasses.replace(mock, inclination=inclination, angle=0.0, warp=0.0, offset=(0.0, 0.0), mu25_r=23.5)
    mock = dataclasses.replace(mock, contrast=0.0, patchiness=0.1, young_fraction=0.02, ring=0.0)
    size = 256
    pixel = 2 * 60 * mock.d25 / size
    light = sum(paint(mock, size))[1] / pixel**2
    ends = [light[size // 2 - 4 : size // 2 + 4, column].mean() for column in (size // 4, 3 * size // 4)]
    assert 22.5 - 2.5 * np.log10(np.mean(ends)) == pytest.approx(23.5, abs=0.4)


def test_dust_dims_and_reddens_the_nearer_side():
    mock = draw_spiral(np.random.default_rng(2), 1)
    mock = dataclasses.replace(mock, inclination=72, tau=2.0, angle=0.0, offset=(0.0, 0.0), near=1)
    # Upper rows have v < 0: the nearer side. The bulge shines through the dust there.
    bulge = paint(mock)[1]
    near, far = bulge[:, :64].sum((1, 2)), bulge[:, 64:].sum((1, 2))
    assert near[1] < 0.9 * far[1]
    assert near[0] / near[2] < 0.95 * far[0] / far[2]
    mirrored = paint(dataclasses.replace(mock, near=-1))[1]
    assert mirrored[:, ::-1] == pytest.approx(bulge, rel=1e-3)
