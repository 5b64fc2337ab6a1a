"""Which galaxies there are: their shapes, colours and inclinations, and which of them are flawed.

The distributions follow the spirals of the Cosmicflows-4 catalogue (Kourkchi et al. 2020, ApJ 902, 145) where no
other source is given.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

__all__ = ["Case", "Mock", "draw_cases", "draw_companion", "draw_spiral"]

INCLINATION_COUNTS = np.array([208, 942, 816, 961, 905, 1557, 1609, 1724, 2698])
"""Inclinations given by people to Cosmicflows-4 spirals, counted in 5-degree bins from 45 to 90 deg."""

Case = Literal["good", "face-on", "merger", "missing", "truncated"]
"""What a galaxy is: good, too face-on, merging, without the image of one band, or with a truncated image."""

_FLAWED: tuple[tuple[Case, float], ...] = (
    ("face-on", 0.06),
    ("merger", 0.04),
    ("missing", 0.02),
    ("truncated", 0.01),
)  # share of the sample
_FEWEST_FOR_FLAWS = 5


def draw_cases(n: int, seed: int) -> list[Case]:
    """Draw which of `n` galaxies are flawed; at least one of each kind from 5 galaxies on, none below.

    Returns
    -------
    list of str, length n
    """
    cases: list[Case] = ["good"] * n
    if n < _FEWEST_FOR_FLAWS:
        return cases
    order = iter(np.random.default_rng(np.random.SeedSequence(seed)).permutation(n))
    for case, share in _FLAWED:
        for _ in range(max(1, round(share * n))):
            cases[next(order)] = case
    return cases


@dataclass(frozen=True)
class Mock:
    """One spiral; lengths in arcsec unless stated, colours in mag."""

    pgc: int
    inclination: float  # deg
    ty: float  # morphological type T: 1 is Sa, 9 is Sm
    d25: float  # arcmin
    h: float  # disc scale length
    mu0_r: float  # apparent central surface brightness of the disc, mag / arcsec^2
    q0: float  # apparent axis ratio of the disc seen edge-on
    old: tuple[float, float]  # g - r and r - i of the old stars
    young: tuple[float, float]  # g - r and r - i of the young stars
    young_fraction: float  # of the disc's r light
    bulge_fraction: float  # of all r light
    bulge_n: float  # Sersic index
    bulge_re: float  # effective radius
    arms: int
    pitch: float  # deg, at two scale lengths
    unwinding: float  # change of the arms' phase per scale length, rad: makes the pitch vary with radius
    contrast: float  # of the arms, 0 to 1
    patchiness: float  # amplitude of the noise that makes arms and dust uneven
    bar: float  # half-length in scale lengths, 0 without a bar
    tau: float  # optical depth in r at the centre, seen face-on
    angle: float  # of the major axis in the image, deg
    near: int  # +1 or -1: which side of the disc is nearer
    winding: int  # +1 or -1
    offset: tuple[float, float] = (0.0, 0.0)  # of the centre in the image

    @property
    def axis_ratio(self) -> float:
        """Apparent axis ratio of the disc: cos² i = (q² − q0²) / (1 − q0²), Hubble (1926, ApJ 64, 321)."""
        cos2 = math.cos(math.radians(self.inclination)) ** 2
        return math.sqrt(cos2 * (1 - self.q0**2) + self.q0**2)


def draw_spiral(rng: np.random.Generator, pgc: int) -> Mock:
    """Draw a spiral with an inclination of 45 to 90 deg.

    Sources beyond Cosmicflows-4: the thickness q0 = 0.2 is that of the standards behind the catalogue's inclinations
    (Tully & Pierce 2000, ApJ 533, 744).
    """
    # The order of the draws is part of the result: the same seed must give the same galaxies.
    share = INCLINATION_COUNTS / INCLINATION_COUNTS.sum()
    bin_start = 45 + 5 * rng.choice(len(INCLINATION_COUNTS), p=share)
    ty = float(np.clip(rng.normal(4.2, 2.0), 1, 9))
    d25 = float(np.clip(1.06 * np.exp(rng.normal(0, 0.47)), 0.4, 4))
    extent = np.clip(rng.normal(3.6, 0.8), 1.9, 5.2)  # (D25 / 2) / h
    h = 30 * d25 / extent
    barred = rng.random() < 0.5
    return Mock(
        pgc=pgc,
        inclination=bin_start + rng.uniform(0, 5),
        ty=ty,
        d25=d25,
        h=h,
        mu0_r=rng.normal(23.6, 0.35) - 1.086 * extent,  # D25 is an isophote: a compact disc is a bright one
        q0=float(np.clip(rng.normal(0.2 - 0.006 * (ty - 4), 0.02), 0.13, 0.27)),
        old=(rng.normal(0.66, 0.05), rng.normal(0.34, 0.02)),
        young=(rng.normal(0.08, 0.08), rng.normal(0.04, 0.04)),
        young_fraction=float(np.clip(rng.normal(0.08 + 0.06 * ty, 0.07), 0.05, 0.65)),
        # From 0.33 at Sa to under 0.05 at Sm.
        bulge_fraction=float(np.clip(0.33 * np.exp((1 - ty) / 3.5 + rng.normal(0, 0.35)), 0, 0.5)),
        bulge_n=rng.uniform(1, 3.7 - 0.3 * ty),
        bulge_re=h * rng.uniform(0.15, 0.4),
        arms=int(rng.choice([2, 2, 2, 3, 4])),
        pitch=float(np.clip(rng.normal(14 + ty, 4), 8, 30)),
        unwinding=rng.uniform(-0.5, 0.5) * (rng.random() < 0.67),  # the pitch varies in two thirds of spirals
        contrast=rng.uniform(0.4, 1.0),
        patchiness=rng.uniform(0.3, 1.0),
        bar=rng.uniform(0.5, 1.2) if barred else 0.0,
        tau=0.8 * np.exp(rng.normal(0, 0.6)) * (1.2 - 0.1 * ty),
        angle=rng.normal(0, 3),  # cutouts are rotated until the major axis is level
        near=int(rng.choice([-1, 1])),
        winding=int(rng.choice([-1, 1])),
        offset=(rng.normal(0, 0.4), rng.normal(0, 0.4)),
    )


def draw_companion(mock: Mock, rng: np.random.Generator) -> Mock:
    """Draw a spiral that overlaps with `mock` in the image."""
    direction, distance = rng.uniform(0, 2 * np.pi), rng.uniform(0.25, 0.6) * 60 * mock.d25
    return replace(
        draw_spiral(rng, mock.pgc),
        h=mock.h * rng.uniform(0.4, 1.0),
        mu0_r=mock.mu0_r + rng.uniform(-0.8, 0.8),
        angle=rng.uniform(0, 180),
        offset=(distance * np.cos(direction), distance * np.sin(direction)),
    )
