import numpy as np
import pytest

from inclinet.simulation.defects import add_bright_star, blank_corners, spoil


def test_a_bright_star_has_its_flux_and_light_far_from_it():
    frames = np.zeros((3, 200, 200), np.float32)
    add_bright_star(frames, np.random.default_rng(0), 0.5, x=60, y=120, mag=10)
    assert np.unravel_index(frames[1].argmax(), (200, 200)) == (120, 60)
    assert frames[1].sum() * 0.5**2 == pytest.approx(10**5, rel=0.1)
    assert frames[:, 20, 180].min() > 0


def test_nothing_is_spoilt_in_most_images():
    spoilt = []
    for seed in range(300):
        frames = np.zeros((3, 32, 32), np.float32)
        spoil(frames, np.random.default_rng(seed), 1.0)
        spoilt.append(frames.any())
    assert 0.08 < np.mean(spoilt) < 0.25


def test_the_sky_ends_at_the_edge_of_the_survey():
    cut = 0
    for seed in range(300):
        frames = np.ones((3, 32, 32), np.float32)
        spoil(frames, np.random.default_rng(seed), 1.0)
        if (frames == 0).any():
            cut += 1
            assert frames[:, 14:18, 14:18].all()
            assert ((frames == 0).all(axis=0) == (frames == 0).any(axis=0)).all()
    assert 2 <= cut <= 20


def test_blank_corners_leave_the_galaxy():
    masks = [blank_corners(64, np.random.default_rng(seed)) for seed in range(200)]
    blank = [mask for mask in masks if mask is not None]
    assert 4 <= len(blank) <= 25
    y, x = np.mgrid[:64, :64] - 31.5
    assert not any(mask[np.hypot(x, y) < 0.8 * 32].any() for mask in blank)
