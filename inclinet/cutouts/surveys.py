"""The image servers that cutouts come from: their addresses, their bands, and how each is asked for a picture."""

import os
from dataclasses import dataclass
from urllib.parse import quote

from inclinet.data.bands import COLOUR
from inclinet.errors import InclinetError

__all__ = ["SURVEYS", "Survey", "address_of", "find_survey", "picture_url"]

_LEGACY = "https://www.legacysurvey.org/viewer"
_LEGACY_SETTING = "INCLINET_LEGACY_URL"
_PLACE = "ra={ra:.6f}&dec={dec:.6f}"
_FRAME = "pixscale={scale:.6f}&size={pixels}"


@dataclass(frozen=True)
class Survey:
    """One survey on an image server.

    Attributes
    ----------
    name, title : str
        For settings and for people.
    address : str
        Where the server is.
    variable : str
        Environment variable that gives another address.
    colour : str
        Template of the address of a colour picture (JPEG), after the server's: with `ra`, `dec` (deg), `scale`
        (arcsec/pixel), `field` (deg), `pixels` a side.
    gray : str
        The same of one band (FITS), with `band`; empty if the server has colour pictures only.
    bands : tuple of str
        Bands of the project that it has.
    largest : int
        Most pixels a side that it gives.
    """

    name: str
    title: str
    address: str
    variable: str
    colour: str
    gray: str
    bands: tuple[str, ...]
    largest: int

    @property
    def paints_for_sdss(self) -> bool:
        """Whether this is SDSS's own image server, whose colour pictures are preferred."""
        return self.name == "sdss"


def _legacy(layer: str, title: str, bands: tuple[str, ...]) -> Survey:
    """Return a layer of the Legacy Surveys' viewer; its documentation names 512 as the largest size."""
    place = f"?{_PLACE}&layer={layer}&{_FRAME}"
    colour, gray = f"/jpeg-cutout{place}", f"/fits-cutout{place}&bands={{band}}"
    name = f"legacy-{layer}" if layer == "sdss" else layer
    return Survey(name, title, _LEGACY, _LEGACY_SETTING, colour, gray, bands, 512)


def _hips(name: str, title: str, hips: str, colour: str, bands: tuple[str, ...]) -> Survey:
    """Return a survey that CDS keeps as HiPS; `fov` is the width of the picture in degrees."""
    frame = f"{_PLACE}&width={{pixels}}&height={{pixels}}&fov={{field:.8f}}&projection=TAN&coordsys=icrs"
    return Survey(
        name,
        title,
        "https://alasky.cds.unistra.fr/hips-image-services",
        "INCLINET_HIPS_URL",
        f"/hips2fits?hips={quote(f'{hips}/{colour}', safe='')}&{frame}&format=jpg",
        f"/hips2fits?hips={quote(f'{hips}/', safe='')}{{band}}&{frame}&format=fits",
        bands,
        2000,
    )


SURVEYS = {
    survey.name: survey
    for survey in (
        Survey(
            "sdss",
            "SDSS DR18, ImgCutout",
            "https://skyserver.sdss.org/dr18/SkyServerWS",
            "INCLINET_SDSS_URL",
            f"/ImgCutout/getjpeg?{_PLACE}&scale={{scale:.6f}}&width={{pixels}}&height={{pixels}}",
            "",
            (COLOUR,),
            2048,
        ),
        _legacy("sdss", "SDSS, as the Legacy Surveys' viewer shows it", ("g", "r", "i", COLOUR)),
        _legacy("ls-dr10", "DESI Legacy Imaging Surveys DR10", ("g", "r", "i", "z", COLOUR)),
        _hips(
            "panstarrs",
            "Pan-STARRS DR1, by HiPS",
            "CDS/P/PanSTARRS/DR1",
            "color-i-r-g",
            ("g", "r", "i", "z", "y", COLOUR),
        ),
    )
}
"""All surveys by name."""


def find_survey(name: str, bands: tuple[str, ...] = ()) -> Survey:
    """Return a survey that has these bands.

    Raises
    ------
    InclinetError
        When there is no such survey, or it lacks one of the bands.
    """
    if name not in SURVEYS:
        raise InclinetError(f"no survey {name!r}; there are {', '.join(SURVEYS)}", setting="survey")
    survey = SURVEYS[name]
    lacking = [band for band in bands if band not in survey.bands]
    if lacking:
        others = [other.name for other in SURVEYS.values() if set(bands) <= set(other.bands)]
        raise InclinetError(
            f"{survey.title} has no band {lacking[0]}" + (f"; {', '.join(others)} have" if others else ""),
            setting="survey" if others else "bands",
        )
    return survey


def address_of(survey: Survey, given: str = "") -> str:
    """Return where a survey's server is: `given`, else the environment's address, else the survey's own.

    Raises
    ------
    InclinetError
        When it is no http or https address.
    """
    address = given or os.environ.get(survey.variable, "") or survey.address
    if not address.startswith(("http://", "https://")):
        raise InclinetError(f"{address!r} is no address of an image server: give http://… or https://…", setting="url")
    return address.rstrip("/")


def picture_url(survey: Survey, address: str, band: str, ra: float, dec: float, field: float, pixels: int) -> str:
    """Return the address of a picture.

    Parameters
    ----------
    survey : Survey
    address : str
        Of its server.
    band : str
    ra, dec : float
        Centre, deg, ICRS.
    field : float
        Width, arcmin.
    pixels : int
        A side.
    """
    template = survey.colour if band == COLOUR else survey.gray
    values = {"ra": ra, "dec": dec, "scale": 60 * field / pixels, "field": field / 60, "pixels": pixels, "band": band}
    return address + template.format(**values)
