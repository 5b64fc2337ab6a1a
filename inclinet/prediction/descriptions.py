"""What the columns of a table of inclinations mean: description, unit, and UCD (the IVOA's word for a quantity)."""

import re
from typing import NamedTuple

__all__ = ["Description", "describe"]

_INCLINATION = "src.orbital.inclination"


class Description(NamedTuple):
    """Description, unit and UCD of a column; the UCDs are those of the list UCD1+ 1.5 of the IVOA."""

    text: str
    unit: str = ""
    ucd: str = ""


_COLUMNS = {
    "image": Description("image, as it was named", "", "meta.ref.uri"),
    "images": Description("images, separated by ;", "", "meta.ref.uri"),
    "galaxy": Description("name of the galaxy", "", "meta.id;meta.main"),
    "pgc": Description("number in the Principal Galaxies Catalogue", "", "meta.id"),
    "band": Description("c (colour) or the name of a band", "", "instr.bandpass"),
    "bands": Description("bands of the images", "", "instr.bandpass"),
    "n_images": Description("number of images that were predicted", "", "meta.number"),
    "inclination": Description("inclination, 0 face-on, 90 edge-on", "deg", _INCLINATION),
    "error": Description("half the width of the 68 % interval of the inclination", "deg", f"stat.error;{_INCLINATION}"),
    "low68": Description("lower end of the 68 % interval", "deg", f"{_INCLINATION};stat.min"),
    "high68": Description("upper end of the 68 % interval", "deg", f"{_INCLINATION};stat.max"),
    "low95": Description("lower end of the 95 % interval", "deg", f"{_INCLINATION};stat.min"),
    "high95": Description("upper end of the 95 % interval", "deg", f"{_INCLINATION};stat.max"),
    "disagreement": Description("largest minus smallest answer for the images", "deg", f"{_INCLINATION};arith.diff"),
    "sin_i": Description("sine of the inclination"),
    "log_1_sin_i": Description("log10(1 / sin i), which Tully-Fisher line widths are corrected by"),
    "log_1_sin_i_low": Description("lower end of its 68 % interval"),
    "log_1_sin_i_high": Description("upper end of its 68 % interval"),
    "axis_ratio": Description("minor over major axis of the isophote", "", "phys.size.axisRatio"),
    "position_angle": Description(
        "of the isophote's major axis, from the x axis towards the y axis, which runs downwards", "deg", "pos.posAng"
    ),
    "flag": Description("reasons to doubt the answer, separated by ;", "", "meta.code"),
    "problem": Description("why there is no answer", "", "meta.note"),
    "version": Description("version of the networks", "", "meta.version"),
    "row": Description("line of the catalogue", "", "meta.record"),
    "truth": Description("inclination in the catalogue", "deg", _INCLINATION),
}
_NETWORK = re.compile(r"[a-z]+\d*_\d+")


def describe(column: str) -> Description | None:
    """Return what a column means, None for columns carried over from a catalogue."""
    if column in _COLUMNS:
        return _COLUMNS[column]
    if _NETWORK.fullmatch(column):
        return Description("answer of a network: architecture and subsample", "deg", _INCLINATION)
    return None
