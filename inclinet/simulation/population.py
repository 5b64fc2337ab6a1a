"""What spirals there are: their shapes, colours and inclinations, drawn as in the Cosmicflows-4 catalogue."""

import math
from dataclasses import dataclass, replace

import numpy as np

__all__ = ["TYPES", "Mock", "draw_companion", "draw_spiral"]

# Human inclinations of the Cosmicflows-4 spirals, counted in 5-degree bins from 45 to 90 deg.
INCLINATIONS = np.array([208, 942, 816, 961, 905, 1557, 1609, 1724, 2698])


TYPES = ("Sa", "Sab", "Sb", "Sbc", "Sc", "Scd", "Sd", "Sdm", "Sm")  # T = 1 ... 9


@dataclass(frozen=True)
class Mock:
    """One spiral; lengths in arcsec unless stated, colours in mag."""

    pgc: int
    inclination: float  # deg
    ty: float  # morphological type T
    d25: float  # arcmin
    h: float  # disc scale length
    mu0_r: float  # apparent central surface brightness of the disc, mag / arcsec^2
    q0: float  # apparent axis ratio of the disc edge-on
    old: tuple[float, float]  # g - r, r - i
    young: tuple[float, float]
    young_fraction: float  # of the disc's r light
    bulge_fraction: float  # of all r light
    bulge_n: float  # Sersic index
    bulge_re: float
    arms: int
    pitch: float  # deg, at two scale lengths
    unwinding: float  # change of the arms' phase per scale length, rad: makes the pitch vary with radius
    contrast: float
    patchiness: float
    bar: float  # half-length in scale lengths, 0 without a bar
    tau: float  # face-on optical depth in r at the centre
    angle: float  # of the major axis in the image, deg
    near: int  # +1 or -1: which side of the disc is nearer
    winding: int  # +1 or -1
    offset: tuple[float, float] = (0.0, 0.0)  # of the centre in the image

    @property
    def axis_ratio(self) -> float:
        """Apparent axis ratio of the disc (Hubble 1926)."""
        cos2 = math.cos(math.radians(self.inclination)) ** 2
        return math.sqrt(cos2 * (1 - self.q0**2) + self.q0**2)


def draw_spiral(rng: np.random.Generator, pgc: int) -> Mock:
    """Draw a spiral from the distributions of the Cosmicflows-4 catalogue."""
    first = 45 + 5 * rng.choice(len(INCLINATIONS), p=INCLINATIONS / INCLINATIONS.sum())
    ty = float(np.clip(rng.normal(4.2, 2.0), 1, 9))
    d25 = float(np.clip(1.06 * np.exp(rng.normal(0, 0.47)), 0.4, 4))
    extent = np.clip(rng.normal(3.6, 0.8), 1.9, 5.2)  # (D25 / 2) / h
    h = 30 * d25 / extent
    barred = rng.random() < 0.5
    return Mock(
        pgc=pgc,
        inclination=first + rng.uniform(0, 5),
        ty=ty,
        d25=d25,
        h=h,
        mu0_r=rng.normal(23.6, 0.35) - 1.086 * extent,  # D25 is an isophote: a compact disc is a bright one
        q0=float(np.clip(rng.normal(0.2 - 0.006 * (ty - 4), 0.02), 0.13, 0.27)),
        old=(rng.normal(0.66, 0.05), rng.normal(0.34, 0.02)),
        young=(rng.normal(0.08, 0.08), rng.normal(0.04, 0.04)),
        young_fraction=float(np.clip(rng.normal(0.08 + 0.06 * ty, 0.07), 0.05, 0.65)),
        bulge_fraction=float(np.clip(0.33 * np.exp((1 - ty) / 3.5 + rng.normal(0, 0.35)), 0, 0.5)),
        bulge_n=rng.uniform(1, 3.7 - 0.3 * ty),
        bulge_re=h * rng.uniform(0.15, 0.4),
        arms=int(rng.choice([2, 2, 2, 3, 4])),
        pitch=float(np.clip(rng.normal(14 + ty, 4), 8, 30)),
        unwinding=rng.uniform(-0.5, 0.5) * (rng.random() < 0.67),
        contrast=rng.uniform(0.4, 1.0),
        patchiness=rng.uniform(0.3, 1.0),
        bar=rng.uniform(0.5, 1.2) if barred else 0.0,
        tau=0.8 * np.exp(rng.normal(0, 0.6)) * (1.2 - 0.1 * ty),
        angle=rng.normal(0, 3),
        near=int(rng.choice([-1, 1])),
        winding=int(rng.choice([-1, 1])),
        offset=tuple(rng.normal(0, 0.4, 2)),
    )


def draw_companion(mock: Mock, rng: np.random.Generator) -> Mock:
    """Draw a spiral that overlaps with `mock`."""
    side, shift = rng.uniform(0, 2 * np.pi), rng.uniform(0.25, 0.6) * 60 * mock.d25
    return replace(
        draw_spiral(rng, mock.pgc),
        h=mock.h * rng.uniform(0.4, 1.0),
        mu0_r=mock.mu0_r + rng.uniform(-0.8, 0.8),
        angle=rng.uniform(0, 180),
        offset=(shift * np.cos(side), shift * np.sin(side)),
    )
