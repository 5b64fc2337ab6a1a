"""The reference discs beside which people judge galaxies: mock galaxies of known inclination, as small pictures.

They come with the package. `python -m inclinet.serve.references` paints them again, with the extra `simulate`.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from PIL import Image

__all__ = ["INCLINATIONS", "KINDS", "REFERENCE_FOLDER", "Kind", "paint_references", "reference_file"]

INCLINATIONS = tuple(range(45, 91, 5))
"""Inclinations of the reference discs, deg."""

Kind = Literal["late", "early"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""A thin disc with open arms and next to no bulge, and a thicker one with a large bulge."""

REFERENCE_FOLDER = Path(__file__).parent / "static" / "reference"
"""Where the pictures are."""

_SIDE = 192  # pixels
_SEEDS: dict[Kind, int] = {"late": 5, "early": 3}
_QUALITY = 85
_D25, _FIELD = 1.5, 1.7  # arcmin; width of a picture in D25


def reference_file(kind: Kind, inclination: int) -> str:
    """Return the name of the picture of a reference disc."""
    return f"{kind}_{inclination}.jpg"


def paint_references(folder: Path = REFERENCE_FOLDER) -> list[Path]:
    """Paint the reference discs, each kind one galaxy seen at all inclinations, major axis level; returns the files."""
    # Here, as nothing else needs the simulation: its packages are an extra.
    from inclinet.simulation.galaxy import paint_galaxy
    from inclinet.simulation.observation import observe
    from inclinet.simulation.population import draw_spiral
    from inclinet.simulation.stretch import to_colour

    alike: dict[str, Any] = {
        **{"angle": 0.0, "offset": (0.0, 0.0), "warp": 0.0, "lopsidedness": 0.0, "ellipticity": 0.0},
        **{"bar": 0.0, "ring": 0.0, "halo_fraction": 0.0, "disc_break": 6.0, "d25": _D25, "h": 30 * _D25 / 4},
    }
    own: dict[Kind, dict[str, Any]] = {
        "late": {"bulge_fraction": 0.05, "q0": 0.12, "thick_fraction": 0.05},
        "early": {"bulge_fraction": 0.3, "q0": 0.18, "thick_fraction": 0.1, "contrast": 0.25, "patchiness": 0.3},
    }
    folder.mkdir(parents=True, exist_ok=True)
    painted = []
    for kind in KINDS:
        drawn = replace(draw_spiral(np.random.default_rng(_SEEDS[kind]), 1), **alike, **own[kind])
        pixel = _FIELD * 60 * _D25 / _SIDE
        for inclination in INCLINATIONS:
            rng = np.random.default_rng(_SEEDS[kind])  # the same arms at every inclination
            mock = replace(drawn, inclination=float(inclination))
            frames = observe(np.add(*paint_galaxy(mock, rng, _SIDE, pixel)), rng, pixel)
            path = folder / reference_file(kind, inclination)
            Image.fromarray(to_colour(frames, rng)).save(path, "JPEG", quality=_QUALITY)
            painted.append(path)
    return painted


if __name__ == "__main__":
    paint_references()
