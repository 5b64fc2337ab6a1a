"""Galaxies to look at, as a table in Markdown: of each a picture, the answer with its error bar, and the flags."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from inclinet.data.catalog import Catalog
from inclinet.data.samples import Samples
from inclinet.evaluation.calibration import Calibration
from inclinet.evaluation.galaxies import pool_images
from inclinet.evaluation.novelty import Novelty
from inclinet.evaluation.worst import worst_cards
from inclinet.figures.markdown import escape, table, thumbnail
from inclinet.figures.page import Card

__all__ = ["choose_answers", "examples_table", "worst_galaxies"]

_SIDE = 96  # pixels of a picture
_COLUMNS = 2  # as many as a phone has room for: the Prefect UI does not wrap the cells of tables


def examples_table(examples: Iterable[Card]) -> str:
    """Return the table, narrow enough for a phone."""
    cells = [_cell(one) for one in examples]
    rows = [cells[start : start + _COLUMNS] for start in range(0, len(cells), _COLUMNS)]
    return table([{" " * place: cell for place, cell in enumerate(row)} for row in rows])


def _cell(one: Card) -> str:
    picture = [] if one.image is None else [thumbnail(one.image, _SIDE, one.title)]
    flags = [f"*{escape(flag)}*" for flag in one.flag.split("; ") if flag]
    return "<br>".join([*picture, f"**{escape(one.title)}**", *map(escape, one.lines), *flags])


def worst_galaxies(
    images: pd.DataFrame,
    samples: Mapping[str, Samples],
    calibration: Calibration | None,
    catalog: Catalog | None,
    novelty: Novelty | None,
    number: int,
) -> list[Card]:
    """Return the cards of the tested galaxies with the largest errors, these first.

    Parameters
    ----------
    images : DataFrame
        Predictions for the test images, as an evaluation writes them: `pgc`, `filter`, `inc_m`, and `inclination`, with
        error bars `error`, `low95` and `high95` too (deg).
    samples, catalog, novelty
        As for `inclinet.evaluation.worst.worst_cards`.
    calibration : Calibration or None
        That of the version, for the error bars of galaxies.
    number : int
        How many galaxies, at most.
    """
    columns = [name for name in images.select_dtypes("number") if name not in ("pgc", "inc_m")]
    galaxies = pool_images(images[columns], images["pgc"], images["filter"], calibration)
    galaxies["inc_m"] = images.groupby("pgc", sort=False)["inc_m"].first()
    error = (galaxies["inclination"] - galaxies["inc_m"]).abs().sort_values(ascending=False, kind="stable")
    return worst_cards(galaxies.loc[error.index[:number]], samples, catalog, novelty)


def choose_answers(galaxies: pd.DataFrame, number: int) -> pd.DataFrame:
    """Return galaxies that show what answers are like: flagged ones first, then others of various inclinations.

    `galaxies` is a table of predictions by galaxy; there are `number` rows at most, at most half of them flagged unless
    there are too few others.
    """
    answered = galaxies.dropna(subset="inclination").sort_values("inclination", kind="stable")
    flagged, others = answered[answered["flag"] != ""], answered[answered["flag"] == ""]
    most = max(number // 2, number - len(others))
    first = flagged.iloc[_evenly(len(flagged), most)]
    return pd.concat([first, others.iloc[_evenly(len(others), number - len(first))]])


def _evenly(count: int, number: int) -> np.ndarray:
    """Return at most `number` places among `count`, evenly spaced; int."""
    return np.linspace(0, count - 1, min(number, count)).round().astype(int)
