"""How people judge inclinations: their scale against the true one, which the images of mocks follow."""

import numpy as np

__all__ = ["from_people", "to_people"]

_LARGEST_SHIFT = 1.0
"""What people add at most to an inclination between 45 and 90, deg.

With 1 deg, regressions that are trained on mocks have the least bias on SDSS galaxies with labels of Cosmicflows-4
(`benchmarks/mocks_against_sky.py`). Three things say that there is a shift. (1) Hubble's formula with the thickness of
0.2 that both sides share gives those galaxies 1 to 3 deg less than people, from the isophote at 15 % of their peak. (2)
Older catalogues added 3 deg to what the formula gives (Aaronson, Mould & Huchra 1980, ApJ 237, 655). (3) Discs lie at
random: by rank among those above 60, the labels 65, 70, 75, 80 and 85 stand for 63, 66, 71, 76 and 82 (an upper limit:
edge-on galaxies are found more easily).
"""

_GRID = np.linspace(0, 90, 181)


def to_people(inclination: float | np.ndarray) -> float | np.ndarray:
    """Return what people say on average of a galaxy of this true inclination; both in deg, 0 to 90."""
    bump = np.sin(np.pi * ((np.clip(inclination, 45, 90) - 45) / 45) ** 2)
    return inclination + _LARGEST_SHIFT * bump


def from_people(label: float) -> float:
    """Return the true inclination (deg) of galaxies of which people say `label` (deg): the inverse of `to_people`."""
    return float(np.interp(label, to_people(_GRID), _GRID))
