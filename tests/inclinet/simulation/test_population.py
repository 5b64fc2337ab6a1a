from collections import Counter

import numpy as np
import pytest

from inclinet.simulation.population import draw_cases, draw_companion, draw_spiral, without_disc


def test_early_types_are_thicker_and_have_larger_bulges():
    rng = np.random.default_rng(0)
    mocks = [draw_spiral(rng, 1) for _ in range(600)]
    early, late = ([m for m in mocks if m.ty < 2], [m for m in mocks if m.ty > 6])
    for name, least in (("q0", 1.15), ("thick_fraction", 1.5), ("bulge_fraction", 3)):
        means = [np.mean([getattr(m, name) for m in group]) for group in (early, late)]
        assert means[0] > least * means[1], name
    # The thin discs; with the thick ones, bulges and seeing, edge-on galaxies look as thick as real ones.
    assert np.mean([m.q0 for m in mocks]) == pytest.approx(0.135, abs=0.015)


def test_inclinations_run_from_45_to_90_and_most_are_high():
    rng = np.random.default_rng(1)
    inclinations = np.array([draw_spiral(rng, 1).inclination for _ in range(500)])
    assert inclinations.min() >= 45
    assert inclinations.max() <= 90
    assert np.mean(inclinations > 70) > 0.5


def test_a_companion_lies_within_the_image_of_its_galaxy():
    rng = np.random.default_rng(2)
    for _ in range(50):
        mock = draw_spiral(rng, 7)
        companion = draw_companion(mock, rng)
        assert companion.pgc == 7
        assert np.hypot(*companion.offset) < 60 * mock.d25


def test_shares_of_flawed_galaxies():
    assert Counter(draw_cases(1000, 0)) == {
        "good": 870, "face-on": 60, "merger": 16, "no disc": 16, "star": 8, "missing": 20, "truncated": 10,
    }  # fmt: skip
    many = Counter(draw_cases(1000, 0, face_on=0.3, useless=0.0))
    assert (many["face-on"], many["merger"], many["good"]) == (300, 0, 670)
    assert Counter(draw_cases(5, 0)) == {"good": 1, "face-on": 1, "merger": 1, "missing": 1, "truncated": 1}
    assert draw_cases(4, 0) == ["good"] * 4
    assert draw_cases(50, 1) == draw_cases(50, 1) != draw_cases(50, 2)


def test_galaxies_without_a_disc_are_ellipticals_or_irregular():
    rng = np.random.default_rng(3)
    bulges = [without_disc(draw_spiral(rng, 1), rng).bulge_fraction for _ in range(100)]
    assert set(bulges) == {0.0, 0.97}
    assert 10 < np.sum(np.array(bulges) > 0.5) < 40
