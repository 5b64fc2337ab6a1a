"""The galaxies that the answers are worst for: which they are, and what is said of each in the report."""

from collections.abc import Iterable, Mapping
from contextlib import suppress

import numpy as np
import pandas as pd

from inclinet.data.bands import COLOUR_LETTER, band_letter
from inclinet.data.catalog import Catalog
from inclinet.data.galaxies import galaxy_title
from inclinet.data.samples import Samples
from inclinet.errors import InclinetError
from inclinet.evaluation.flags import NEARLY_FACE_ON, UNLIKE, flags_of_shape, is_nearly_face_on
from inclinet.evaluation.novelty import Novelty
from inclinet.figures.page import Card
from inclinet.geometry.shape import measure_shape

__all__ = ["find_worst", "links_to", "worst_cards"]

_MOST = 48
_SHARE = 0.1  # of the galaxies, where there are no error bars to tell by
_SDSS = "https://skyserver.sdss.org/dr18/VisualTools/navi?ra={ra:.5f}&dec={dec:.5f}&scale=0.4"
_NED = (
    "https://ned.ipac.caltech.edu/conesearch?search_type=Near%20Position%20Search&in_csys=Equatorial"
    "&in_equinox=J2000&ra={ra:.5f}d&dec={dec:.5f}d&radius=0.5"
)

_Images = dict[int, list[tuple[str, np.ndarray]]]  # band and pixels of each image, by PGC number


def find_worst(galaxies: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the galaxies outside their 95 % interval or, without error bars, of the worst tenth.

    Parameters
    ----------
    galaxies : DataFrame
        One row per galaxy, by PGC number: `inc_m` and `inclination`, and with error bars `low95` and `high95` (deg).

    Returns
    -------
    DataFrame
        The largest errors first, 48 at most.
    """
    size = (galaxies["inclination"] - galaxies["inc_m"]).abs()
    if "low95" in galaxies:
        chosen = galaxies[~galaxies["inc_m"].between(galaxies["low95"], galaxies["high95"])]
    else:
        chosen = galaxies.loc[size.nlargest(max(1, round(_SHARE * len(size)))).index]
    return chosen.loc[size[chosen.index].sort_values(ascending=False, kind="stable").index[:_MOST]]


def worst_cards(
    worst: pd.DataFrame, test: Mapping[str, Samples], catalog: Catalog | None, novelty: Novelty | None
) -> list[Card]:
    """Return the cards of galaxies: a picture, label and answer, flags, and where to see more of it.

    Parameters
    ----------
    worst : DataFrame
        As `find_worst` returns.
    test : mapping of stored band to Samples
        Their images; shapes are measured in these.
    catalog : Catalog or None
        For names and positions.
    novelty : Novelty or None
        Tells unusual images.
    """
    images, places = _find_images(test, worst.index), _positions(catalog)
    names = catalog.names if catalog else {}
    cards = []
    for row in worst.reset_index(names="pgc").to_dict("records"):
        pgc = int(row["pgc"])
        of_galaxy = sorted(images.get(pgc, []), key=lambda image: image[0] != COLOUR_LETTER)
        cards.append(
            Card(
                galaxy_title(pgc, names.get(pgc, "")) or f"galaxy {pgc}",
                of_galaxy[0][1] if of_galaxy else None,
                _answer(row),
                "; ".join(_flags(row, of_galaxy, novelty)),
                links_to(*places[pgc]) if pgc in places else {},
            )
        )
    return cards


def links_to(ra: float, dec: float) -> dict[str, str]:
    """Return where a position (deg, ICRS) is seen in SDSS and looked up in NED."""
    return {"SDSS": _SDSS.format(ra=ra, dec=dec), "NED": _NED.format(ra=ra, dec=dec)}


def _find_images(test: Mapping[str, Samples], pgcs: Iterable[int]) -> _Images:
    wanted = set(pgcs)
    images: _Images = {}
    for band, sample in test.items():
        for row, pgc in enumerate(sample.pgcs.tolist()):
            if pgc in wanted:
                images.setdefault(pgc, []).append((band_letter(band), sample.images[row].astype(np.uint8)))
    return images


def _answer(row: Mapping) -> list[str]:
    """Return label and answer, and the 95 % interval if there is one."""
    told = f"{row['inc_m']:.0f}° → {row['inclination']:.1f}"
    if "low95" not in row:
        return [f"{told}°"]
    return [f"{told} ± {row['error']:.1f}°", f"95 %: {row['low95']:.1f}–{row['high95']:.1f}°"]


def _flags(row: Mapping, images: list[tuple[str, np.ndarray]], novelty: Novelty | None) -> list[str]:
    """Return the flags that predicting gives, each once."""
    if "low95" not in row or not images:
        return []
    flags = [NEARLY_FACE_ON] if is_nearly_face_on(pd.DataFrame([row])).item() else []
    colour = np.array([band == COLOUR_LETTER for band, _ in images])
    if novelty and novelty.is_unlike(np.stack([pixels for _, pixels in images]), colour).any():
        flags.append(UNLIKE)
    for _, pixels in images:
        flags += flags_of_shape(measure_shape(pixels), row["inclination"], row["error"])
    return list(dict.fromkeys(flags))


def _positions(catalog: Catalog | None) -> dict[int, tuple[float, float]]:
    """Return the positions (deg) of a catalogue's galaxies, as far as it has any."""
    if catalog is None:
        return {}
    # It imports astropy's coordinates, which take half a second.
    from inclinet.cutouts.targets import read_targets

    with suppress(InclinetError):  # it has no positions
        targets = zip(catalog.table.index.tolist(), read_targets(catalog.table), strict=True)
        return {pgc: (one.ra, one.dec) for pgc, one in targets if one.ra is not None and one.dec is not None}
    return {}
