"""How people judge inclinations: their scale against the true one, which the images of mocks follow."""

import numpy as np

__all__ = ["from_people", "to_people"]

_LARGEST_SHIFT = 3.0
"""What people add at most to an inclination between 45 and 90, deg.

Two things show it. (1) Discs lie at random, so that their true inclinations have a known distribution; by rank, those
of which the Cosmicflows-4 catalogue says 65, 70, 75, 80 and 85 deg lie at 63, 66, 71, 76 and 82
(`inclinet.simulation.population.INCLINATION_COUNTS` above 60). (2) Hubble's formula gives 1 to 3 deg less than people
say, most between 65 and 80, from the isophotes of SDSS galaxies and the mean thickness of their discs, 0.22 (Ryden
2004, ApJ 601, 214). Older catalogues added 3 deg to what the formula gives (Aaronson, Mould & Huchra 1980, ApJ 237,
655).
"""

_GRID = np.linspace(0, 90, 181)


def to_people(inclination: float | np.ndarray) -> float | np.ndarray:
    """Return what people say on average of a galaxy of this true inclination; both in deg, 0 to 90."""
    bump = np.sin(np.pi * ((np.clip(inclination, 45, 90) - 45) / 45) ** 1.5)
    return inclination + _LARGEST_SHIFT * bump


def from_people(label: float) -> float:
    """Return the true inclination (deg) of galaxies of which people say `label` (deg): the inverse of `to_people`."""
    return float(np.interp(label, to_people(_GRID), _GRID))
