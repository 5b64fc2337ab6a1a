"""The catalogue of the mock galaxies: what it says of each, with the errors of real catalogues, and its layout."""

from dataclasses import dataclass

import numpy as np

from inclinet.data.bands import GRAY_BANDS
from inclinet.simulation.population import Case, Mock

__all__ = ["Entry", "catalogue_row", "catalogue_text", "draw_entry"]

_TYPES = ("S0/a", "Sa", "Sab", "Sb", "Sbc", "Sc", "Scd", "Sd", "Sdm", "Sm", "Im")  # T = 0 ... 10
_RATIO_ERROR = 0.02  # between two measurements of the same image
_USELESS_NOTES: dict[Case, str] = {"merger": "[merger] [multiple]", "star": "[star]", "no disc": "[irregular]"}
_NOT_MEASURED = "0.00"  # as the Cosmicflows-4 catalogue writes it


@dataclass(frozen=True)
class Entry:
    """What is drawn for the catalogue's row of one galaxy."""

    ratio_errors: np.ndarray
    """Errors of the two axis ratios beyond those that the image causes, (2,)."""
    pa: float
    """Position angle, deg."""
    ra: float
    dec: float
    scale_lengths: np.ndarray
    """Scale lengths measured in g, r, i, (3,), arcsec."""
    pa_error: float
    label: dict[str, str]
    """The columns that make up the label."""


def draw_entry(mock: Mock, case: Case, rng: np.random.Generator) -> Entry:
    """Draw the row's errors of measurement, position and label."""
    return Entry(
        ratio_errors=rng.normal(0, _RATIO_ERROR, 2),
        pa=rng.uniform(0, 180),
        ra=rng.uniform(110, 260),
        dec=rng.uniform(0, 60),
        scale_lengths=mock.h * rng.normal(1, 0.03, 3),
        pa_error=rng.normal(0, 3),
        label=_draw_label(mock, case, rng),
    )


def _draw_label(mock: Mock, case: Case, rng: np.random.Generator) -> dict[str, str]:
    """Return the columns `fon`, `inc`, `inc_e`, `inc_flg`, `inc_n`, `inc_note`."""
    label = {"fon": "", "inc": f"{round(mock.inclination)}", "inc_e": f"{rng.integers(1, 5)}"}
    label |= {"inc_flg": "0", "inc_n": f"{rng.integers(3, 13)}", "inc_note": ""}
    if case == "face-on":
        # People say so in the column, in the note or in both.
        fon, note = (("F", ""), ("", "[face_on]"), ("F", "[bad_TF] [face_on]"))[rng.integers(3)]
        label |= {"fon": fon, "inc": ("", "0")[rng.integers(2)], "inc_e": "0", "inc_note": note}
        label["inc_flg"] = f"{rng.integers(1, 4)}"
    if case in _USELESS_NOTES:
        label |= {"inc": "0", "inc_e": "0", "inc_note": _USELESS_NOTES[case]}
        label["inc_flg"] = f"{rng.integers(1, 3)}"
    return label


def catalogue_row(
    mock: Mock, entry: Entry, disc: np.ndarray, bulge: np.ndarray, ratios: tuple[float, float]
) -> dict[str, str]:
    """Return the cells of one galaxy by column, as the Cosmicflows-4 catalogue names and writes them.

    Parameters
    ----------
    mock : Mock
    entry : Entry
    disc, bulge : ndarray, shape (3,)
        Fluxes in g, r, i, nanomaggies.
    ratios : tuple of float
        Axis ratios as measured in the image, NaN where they could not be.
    """
    b_a, sba = (
        _NOT_MEASURED if np.isnan(ratio) else f"{np.clip(ratio + error, 0.05, 1):.2f}"
        for ratio, error in zip(ratios, entry.ratio_errors, strict=True)
    )
    name = _TYPES[round(mock.ty)]
    row = {
        "pgc": f"{mock.pgc}",
        "ra": f"{entry.ra:.4f}",
        "dec": f"{entry.dec:.4f}",
        "d25": f"{mock.d25:.2f}",
        "b_a": b_a,
        "pa": f"{entry.pa:.1f}",
        "ty": f"{mock.ty:.1f}",
        "type": "SB" + name[1:] if mock.bar else name,
        "sdss": "1",
    }
    mags = 22.5 - 2.5 * np.log10(disc + bulge)
    mu0 = 22.5 - 2.5 * np.log10(disc / (2 * np.pi * entry.scale_lengths**2 * mock.axis_ratio))
    row |= {f"{band}_mag": f"{mag:.2f}" for band, mag in zip(GRAY_BANDS, mags, strict=True)}
    row |= {"Sba": sba, "Spa": f"{(entry.pa + entry.pa_error) % 180:.1f}"}
    row |= {f"disc_mu0_{band}": f"{mu:.2f}" for band, mu in zip(GRAY_BANDS, mu0, strict=True)}
    row |= {f"h_{band}": f"{h / 60:.2f}" for band, h in zip(GRAY_BANDS, entry.scale_lengths, strict=True)}
    return row | entry.label


def catalogue_text(rows: list[dict[str, str]]) -> str:
    """Return the catalogue: one line per row, columns split by `|` and padded with spaces to one width."""
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = [[cell.rjust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    return "".join(" | ".join(line) + "\n" for line in padded)
