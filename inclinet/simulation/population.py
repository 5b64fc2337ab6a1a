"""Which galaxies there are: their shapes, colours and inclinations, and which of them are flawed.

The distributions follow the spirals of the Cosmicflows-4 catalogue (Kourkchi et al. 2020, ApJ 902, 145) where no
other source is given.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from inclinet.data.inclination import axis_ratio_of

__all__ = ["Case", "Mock", "draw_cases", "draw_companion", "draw_spiral", "without_disc"]

INCLINATION_COUNTS = np.array([208, 942, 816, 961, 905, 1557, 1609, 1724, 2698])
"""Inclinations given by people to Cosmicflows-4 spirals, counted in 5-degree bins from 45 to 90 deg."""

Case = Literal["good", "face-on", "merger", "star", "no disc", "missing", "truncated"]
"""What a galaxy is: good, too face-on, useless for one of three reasons, without a band, or with a truncated image."""

_USELESS: tuple[Case, ...] = ("merger", "no disc", "star", "merger", "no disc")
_BROKEN: tuple[tuple[Case, float], ...] = (("missing", 0.02), ("truncated", 0.01))  # share of the sample
_FEWEST_FOR_FLAWS = 5
_LOW_SURFACE_BRIGHTNESS = 0.05  # share of the spirals


def draw_cases(n: int, seed: int, face_on: float = 0.06, useless: float = 0.04) -> list[Case]:
    """Draw which of `n` galaxies are flawed; at least one of each class from 5 galaxies on, none below.

    The classes are those that are face-on and useless, whose shares are given, and those of which a band is missing
    (2 %) or truncated (1 %). A share of 0 means none.

    Returns
    -------
    list of str, length n
    """
    cases: list[Case] = ["good"] * n
    if n < _FEWEST_FOR_FLAWS:
        return cases
    order = iter(np.random.default_rng(np.random.SeedSequence(seed)).permutation(n))
    classes: list[tuple[tuple[Case, ...], float]] = [(("face-on",), face_on), (_USELESS, useless)]
    classes += [((case,), share) for case, share in _BROKEN]
    for kinds, share in classes:
        for k in range(max(1, round(share * n)) if share else 0):
            cases[next(order)] = kinds[k % len(kinds)]
    return cases


@dataclass(frozen=True)
class Mock:
    """One spiral; lengths in arcsec unless stated, colours in mag."""

    pgc: int
    inclination: float  # deg
    ty: float  # morphological type T: 0 is S0/a, 1 is Sa, 9 is Sm, 10 is Im
    d25: float  # arcmin
    h: float  # disc scale length
    mu25_r: float  # apparent surface brightness at D25, mag / arcsec^2
    disc_break: float  # radius beyond which the disc is steeper, in scale lengths
    ellipticity: float  # 1 - axis ratio of the disc seen face-on
    lopsidedness: float  # relative amplitude of the disc's light, one side against the other
    q0: float  # apparent axis ratio of the thin disc seen edge-on
    thick_fraction: float  # of the old stars' light, in the thick disc
    thick_ratio: float  # height of the thick disc, relative to that of the thin one
    flare: float  # growth of all heights per scale length of radius
    warp: float  # height of the mid-plane at four scale lengths, in scale lengths
    old: tuple[float, float]  # g - r and r - i of the old stars
    young: tuple[float, float]  # g - r and r - i of the young stars
    young_fraction: float  # of the disc's r light
    bulge_fraction: float  # of all r light
    bulge_n: float  # Sersic index
    bulge_re: float  # effective radius
    bulge_axis_ratio: float  # intrinsic, of an oblate bulge
    halo_fraction: float  # light of the stellar halo within the image, relative to that of disc and bulge
    arms: int
    pitch: float  # deg, at two scale lengths
    unwinding: float  # change of the arms' phase per scale length, rad: makes the pitch vary with radius
    contrast: float  # of the arms, 0 to 1
    patchiness: float  # amplitude of the noise that makes arms and dust uneven
    bar: float  # half-length in scale lengths, 0 without a bar
    bar_strength: float  # brightness of its centre relative to that of the disc
    ring: float  # radius of a ring in scale lengths, 0 without a ring
    tau: float  # optical depth in r at the centre, seen face-on
    angle: float  # of the major axis in the image, deg
    near: int  # +1 or -1: which side of the disc is nearer
    winding: int  # +1 or -1
    offset: tuple[float, float] = (0.0, 0.0)  # of the centre in the image

    @property
    def axis_ratio(self) -> float:
        """Apparent axis ratio of the disc."""
        return axis_ratio_of(self.inclination, self.q0)


def draw_spiral(rng: np.random.Generator, pgc: int) -> Mock:
    """Draw a spiral with an inclination of 45 to 90 deg.

    Sources beyond Cosmicflows-4:

    - Thickness: thin and thick disc, bulge and halo together look 0.29 (S0/a, Sa) to 0.14 (Sd to Im) thick at D25 when
      seen edge-on, 0.20 on average, which is that of the standards behind the catalogue (Tully & Pierce 2000, ApJ 533,
      744). The trend is that of HyperLEDA, log q0 = -0.43 - 0.053 T (Bottinelli et al. 1983, A&A 118, 4). Thick discs
      are two to three times as thick as thin ones and hold up to half of the light (Yoachim & Dalcanton 2006, AJ 131,
      226).
    - Bulges: Graham & Worley (2008, MNRAS 388, 1708); haloes: Zibetti, White & Brinkmann (2004, MNRAS 347, 556).
    - Discs are not round (Ryden 2004, ApJ 601, 214), one in three is lopsided (Zaritsky & Rix 1997, ApJ 477, 118),
      three in five have a break (Pohlen & Trujillo 2006, A&A 454, 759), one in three is warped enough to be seen
      (Reshetnikov & Combes 1998, A&A 337, 9), they flare (de Grijs & Peletier 1997, A&A 320, L21), one in five has a
      ring (de Vaucouleurs & Buta 1980, AJ 85, 637).
    - Low surface brightness: Impey & Bothun (1997, ARA&A 35, 267).
    """
    # The order of the draws is part of the result: the same seed must give the same galaxies.
    share = INCLINATION_COUNTS / INCLINATION_COUNTS.sum()
    inclination = float(45 + 5 * rng.choice(len(INCLINATION_COUNTS), p=share) + rng.uniform(0, 5))
    ty = float(np.clip(rng.normal(4.2, 2.3), 0, 10))
    irregular = ty > 7.5
    # Lenticulars and the earliest spirals: no arms, no young stars, little dust.
    smooth = rng.random() < (0.5 if ty < 1 else 0.12 if ty < 3 else 0.04)
    d25 = float(np.clip(1.2 * np.exp(rng.normal(0, 0.55)), 0.4, 6))
    faint = rng.random() < _LOW_SURFACE_BRIGHTNESS
    extent = rng.uniform(1.4, 2.4) if faint else float(np.clip(rng.normal(4.1, 0.9), 2.0, 5.8))  # (D25 / 2) / h
    thickness = 10 ** -(0.43 + 0.053 * ty) if ty < 7 else 0.16 + 0.04 * (ty - 7)
    thickness = 0.15 * (thickness / 0.22) ** 0.6 * np.exp(rng.normal(0, 0.12))
    barred = rng.random() < 0.5
    young_fraction = float(np.clip(rng.normal(0.12 + 0.07 * ty, 0.09), 0.05, 0.8))
    bulge_fraction = float(np.clip(0.15 * np.exp((1 - ty) / 3 + rng.normal(0, 0.5)), 0, 0.5))
    return Mock(
        pgc=pgc,
        inclination=inclination,
        ty=ty,
        d25=d25,
        h=30 * d25 / extent,
        # D25 is 25 in B, which dust dims more than r, most where it is seen edge-on.
        mu25_r=rng.normal(23.35, 0.4) - 0.4 * (1 - math.cos(math.radians(inclination))),
        disc_break=extent * rng.uniform(0.65, 1.1) if rng.random() < 0.6 else 6.0,
        ellipticity=float(np.clip(0.06 * np.exp(rng.normal(0, 0.6)), 0, 0.2)),
        lopsidedness=rng.uniform(0.15, 0.4) if rng.random() < 0.33 else 0.06,
        q0=float(thickness * rng.uniform(0.7, 0.95)),
        thick_fraction=float(np.clip(rng.normal(0.3 - 0.03 * ty, 0.12), 0, 0.6)),
        thick_ratio=rng.uniform(1.7, 2.8),
        flare=rng.uniform(0, 0.2),
        warp=rng.normal(0, 0.08) * (rng.random() < 0.33),
        old=(rng.normal(0.66, 0.05), rng.normal(0.34, 0.02)),
        young=(rng.normal(0.02, 0.08), rng.normal(0.0, 0.05)),
        young_fraction=0.02 if smooth else young_fraction,
        bulge_fraction=bulge_fraction,
        bulge_n=rng.uniform(1, 3.6 - 0.25 * ty),
        bulge_re=30 * d25 / extent * rng.uniform(0.08, 0.4 - 0.025 * ty),
        bulge_axis_ratio=rng.uniform(0.35, 0.7),
        halo_fraction=float(np.clip(0.04 * np.exp(rng.normal(0, 0.6)), 0, 0.2)),
        arms=int(rng.choice([2, 2, 2, 3, 4])),
        pitch=float(np.clip(rng.normal(14 + ty, 4), 8, 30)),
        unwinding=rng.uniform(-0.5, 0.5) * (rng.random() < 0.67),  # the pitch varies in two thirds of spirals
        contrast=rng.uniform(0.0, 0.2) if smooth else rng.uniform(0.1, 0.6) if irregular else rng.uniform(0.3, 0.9),
        patchiness=0.1 if smooth else rng.uniform(0.3, 1.0) + 0.5 * irregular,
        bar=rng.uniform(0.5, 1.4) if barred else 0.0,
        bar_strength=rng.uniform(0.3, 1.2),
        ring=rng.uniform(1.0, 2.5) * (rng.random() < 0.2),
        tau=0.4 * math.exp(rng.normal(0, 0.8)) * (1.2 - 0.1 * ty) * (0.2 if smooth else 1.0),
        angle=rng.normal(0, 3),  # cutouts are rotated until the major axis is level
        near=int(rng.choice([-1, 1])),
        winding=int(rng.choice([-1, 1])),
        offset=(rng.normal(0, 0.4), rng.normal(0, 0.4)),
    )


def draw_companion(mock: Mock, rng: np.random.Generator) -> Mock:
    """Draw a spiral that overlaps with `mock` in the image."""
    direction, distance = rng.uniform(0, 2 * np.pi), rng.uniform(0.25, 0.6) * 60 * mock.d25
    companion = draw_spiral(rng, mock.pgc)
    d25 = mock.d25 * rng.uniform(0.4, 1.0)
    return replace(
        companion,
        d25=d25,
        h=companion.h * d25 / companion.d25,
        bulge_re=companion.bulge_re * d25 / companion.d25,
        angle=rng.uniform(0, 180),
        offset=(distance * np.cos(direction), distance * np.sin(direction)),
    )


def without_disc(mock: Mock, rng: np.random.Generator) -> Mock:
    """Return a galaxy in the place of `mock` that has no disc: an irregular one, or in a quarter an elliptical."""
    smooth = replace(mock, contrast=0.0, bar=0.0, ring=0.0, warp=0.0, thick_fraction=0.0, lopsidedness=0.0)
    if rng.random() < 0.25:
        return replace(
            smooth,
            ty=0.0,
            bulge_fraction=0.97,
            bulge_n=4.0,
            bulge_re=30 * mock.d25 * rng.uniform(0.3, 0.5),
            bulge_axis_ratio=rng.uniform(0.5, 0.95),
            young_fraction=0.0,
            patchiness=0.0,
            tau=0.0,
        )
    return replace(
        smooth,
        ty=10.0,
        q0=rng.uniform(0.3, 0.6),
        bulge_fraction=0.0,
        young_fraction=rng.uniform(0.5, 0.9),
        patchiness=rng.uniform(1.2, 2.0),
        lopsidedness=rng.uniform(0.4, 0.9),
        ellipticity=rng.uniform(0.1, 0.6),
    )
