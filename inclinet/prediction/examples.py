"""Galaxies to look at, as a table in Markdown: of each a picture, the answer with its error bar, and the flags."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from inclinet.data.bands import order_bands
from inclinet.data.galaxies import galaxy_title
from inclinet.data.samples import Samples
from inclinet.evaluation.calibration import Calibration
from inclinet.evaluation.galaxies import pool_images
from inclinet.figures.markdown import escape, table, thumbnail
from inclinet.geometry.shape import measure_shape
from inclinet.prediction.flags import add_shapes

__all__ = ["Example", "choose_answers", "examples_table", "worst_galaxies"]

_SIDE = 96  # pixels of a picture
_COLUMNS = 2  # as many as a phone has room for: the Prefect UI does not wrap the cells of tables
_OUTSIDE = "outside the 95 %"


@dataclass(frozen=True)
class Example:
    """A galaxy to look at.

    Attributes
    ----------
    title : str
    answer : str
        With its error bar, and the truth if it is known.
    flags : str
        Separated by `; `.
    pixels : ndarray of uint8, shape (height, width[, 3]), or None
    """

    title: str
    answer: str
    flags: str
    pixels: np.ndarray | None


def examples_table(examples: Iterable[Example]) -> str:
    """Return the table, narrow enough for a phone."""
    cells = [_cell(one) for one in examples]
    rows = [cells[start : start + _COLUMNS] for start in range(0, len(cells), _COLUMNS)]
    return table([{" " * place: cell for place, cell in enumerate(row)} for row in rows])


def _cell(one: Example) -> str:
    picture = [] if one.pixels is None else [thumbnail(one.pixels, _SIDE, one.title)]
    flags = [f"*{escape(flag)}*" for flag in one.flags.split("; ") if flag]
    return "<br>".join([*picture, f"**{escape(one.title)}**", one.answer, *flags])


def worst_galaxies(
    images: pd.DataFrame,
    samples: Mapping[str, Samples],
    calibration: Calibration | None,
    names: Mapping[int, str],
    number: int,
) -> list[Example]:
    """Return the tested galaxies with the largest errors, these first.

    Parameters
    ----------
    images : DataFrame
        Predictions for the test images, as an evaluation writes them: `pgc`, `filter`, `inc_m`, and `inclination`, with
        error bars `error`, `low95` and `high95` too (deg).
    samples : mapping of stored band to Samples
        Their images.
    calibration : Calibration or None
        That of the version, for the error bars of galaxies.
    names : mapping of int to str
        Names of galaxies without a PGC number.
    number : int
        How many galaxies, at most.
    """
    columns = [name for name in images.select_dtypes("number") if name not in ("pgc", "inc_m")]
    galaxies = pool_images(images[columns], images["pgc"], images["filter"], calibration)
    galaxies["truth"] = images.groupby("pgc", sort=False)["inc_m"].first()
    error = (galaxies["inclination"] - galaxies["truth"]).abs().sort_values(ascending=False, kind="stable")
    worst = galaxies.loc[error.index[:number]]
    pictures = _pictures(samples, set(worst.index.tolist()))
    return [
        Example(
            galaxy_title(pgc, names.get(pgc, "")) or f"galaxy {pgc}",
            _answer(row),
            "; ".join(_flags(row, pictures.get(pgc))),
            pictures.get(pgc),
        )
        for pgc, row in zip(worst.index.tolist(), worst.to_dict("records"), strict=True)
    ]


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


def _pictures(samples: Mapping[str, Samples], wanted: set[int]) -> dict[int, np.ndarray]:
    """Return an image of each galaxy: that in colour if there is one."""
    found: dict[int, np.ndarray] = {}
    for sample in (samples[band] for band in order_bands(samples)):
        for row, pgc in enumerate(sample.pgcs.tolist()):
            if pgc in wanted and pgc not in found:
                found[pgc] = sample.images[row].astype(np.uint8)
    return found


def _answer(row: Mapping[Any, Any]) -> str:
    error = f" ± {row['error']:.0f}" if "error" in row else ""
    return f"{row['truth']:.0f}° → {row['inclination']:.0f}{error}°"


def _flags(row: Mapping[Any, Any], pixels: np.ndarray | None) -> list[str]:
    if "low95" not in row:
        return []
    flags = [] if row["low95"] <= row["truth"] <= row["high95"] else [_OUTSIDE]
    if pixels is None:
        return flags
    answer = pd.DataFrame([{"inclination": row["inclination"], "error": row["error"], "flag": flags}])
    return add_shapes(answer, [measure_shape(pixels)])["flag"].iloc[0]
