"""One cutout: from a galaxy's name or position to its picture and the record of it."""

import math
from dataclasses import dataclass, replace

from astropy.coordinates import SkyCoord
from astropy.units import Quantity
from PIL import Image

from inclinet.cutouts.client import Client, FetchError
from inclinet.cutouts.filenames import cutout_file, root_of, stem_of
from inclinet.cutouts.pictures import BLANK, WIDER, decode_colour, decode_gray, encode, turn, turning_angle
from inclinet.cutouts.records import CutoutRow, digest, now
from inclinet.cutouts.resolve import ask_position, ask_shape, name_servers
from inclinet.cutouts.settings import Cutouts
from inclinet.cutouts.surveys import address_of, find_survey, picture_url
from inclinet.cutouts.targets import Target, parse_position, parse_size, place_name, position_of
from inclinet.data.bands import COLOUR
from inclinet.errors import InclinetError

__all__ = ["Cutout", "complete", "fetch_cutout", "fetch_one", "file_of", "open_client", "planned_row"]


@dataclass(frozen=True)
class Cutout:
    """A picture of a galaxy.

    Attributes
    ----------
    image : Image
        Mode RGB, or L for one band: bright on a dark sky.
    content : bytes
        Of its file: JPEG in colour, PNG in gray.
    row : CutoutRow
        What it was fetched from.
    """

    image: Image.Image
    content: bytes
    row: CutoutRow


def open_client(what: Cutouts) -> Client:
    """Return a client that asks as often and waits as long as the settings say; close it, or use it in `with`."""
    return Client(what.rate, what.attempts, what.timeout, what.backoff)


def complete(client: Client, target: Target) -> Target:
    """Return a target with its position and size; those that its row lacks are looked up by its name.

    Raises
    ------
    FetchError
        When they are not known, or there is something else wrong with its row.
    """
    if target.problem:
        raise FetchError(target.problem)
    if target.ra is None:
        ra, dec = ask_position(client, target.name)
        target = replace(target, ra=ra, dec=dec)
    if target.size is None and target.is_named:
        size, pa = ask_shape(client, target.name)
        target = replace(target, size=size, pa=pa if target.pa is None else target.pa)
    if target.size is None:
        raise FetchError("no size: none in d25, logd25 or SMA, nor in SIMBAD; give one (size)")
    return target


def planned_row(target: Target, what: Cutouts, band: str) -> CutoutRow:
    """Return the row of a cutout before it is fetched: all that follows from a complete target and the settings."""
    turned = what.turn and target.pa is not None
    width = None if target.size is None else what.width * target.size
    return CutoutRow(
        name=target.name,
        ra=None if target.ra is None else round(target.ra, 6),
        dec=None if target.dec is None else round(target.dec, 6),
        survey=what.survey,
        band=band,
        d25=target.size,
        pa=target.pa,
        pixel_scale=None if width is None else round(60 * width / what.pixels, 6),
        width=None if width is None else round(width, 4),
        turned_by=round(turning_angle(target.pa), 2) if turned and target.pa is not None else None,
    )


def file_of(target: Target, row: CutoutRow, what: Cutouts) -> str:
    """Return the name of the file of a planned row."""
    root = what.imroot or root_of(what.width, row.turned_by is not None)
    return cutout_file(target.stem, root, row.band, find_survey(what.survey).paints_for_sdss)


def fetch_cutout(client: Client, target: Target, what: Cutouts, band: str) -> Cutout:
    """Fetch the picture of a complete target in one band.

    One that is to be turned is fetched √2 times wider; otherwise, what the server sends is kept to the byte where its
    size is the wanted one.

    Raises
    ------
    FetchError
        When there is none.
    """
    survey, row = find_survey(what.survey), planned_row(target, what, band)
    assert row.ra is not None and row.dec is not None and row.width is not None
    wider = 1.0 if row.turned_by is None else WIDER
    pixels = min(math.ceil(wider * what.pixels), survey.largest)
    field = wider * row.width
    url = picture_url(survey, address_of(survey, what.url), band, row.ra, row.dec, field, pixels)
    decode = decode_colour if band == COLOUR else decode_gray
    try:
        image, sent = client.get(url, lambda body: (decode(body, pixels), body))
    except FetchError as error:
        # SDSS answers 404 Not Found with these words.
        if not error.is_trouble and "footprint" in str(error):
            raise FetchError(BLANK) from None
        raise
    if row.turned_by is None and pixels == what.pixels:
        content = sent if band == COLOUR else encode(image)
    else:
        image = turn(image, row.turned_by or 0.0, wider, what.pixels)
        content = encode(image)
    found = {"date": now(), "sha256": digest(content), "file": file_of(target, row, what)}
    return Cutout(image, content, row.model_copy(update=found))


def fetch_one(
    galaxy: str | SkyCoord | tuple[float, float],
    *,
    size: float | str | Quantity | None = None,
    pa: float | None = None,
    survey: str = "",
    band: str = COLOUR,
    what: Cutouts | None = None,
) -> Cutout:
    """Fetch the picture of one galaxy.

    Parameters
    ----------
    galaxy : str, SkyCoord or (float, float)
        Its name, or its position: coordinates, (ra, dec) in degrees, or a text such as ``140.51,50.98`` or
        ``09:22:02.6 +50:58:35``.
    size : float, str or Quantity, optional
        Its diameter D25; a number is in arcmin. By default what SIMBAD has for its name.
    pa : float, optional
        Position angle of its major axis, deg. By default what SIMBAD has, for a name; None does not turn the picture.
    survey : str
        Its name, in place of that of the settings.
    band : str
    what : Cutouts, optional
        Width, server and so on; the defaults are those of the settings.

    Raises
    ------
    InclinetError
        When there is no such picture, with the reason.
    """
    what = what or Cutouts()
    what = what.model_copy(update={"survey": find_survey(survey or what.survey, (band,)).name})
    address_of(find_survey(what.survey), what.url)
    given = None if size is None else parse_size(str(size))
    target = _target(galaxy, given, pa)
    if not target.is_named and given is None:
        raise InclinetError(f"{target.name}: a position alone has no size; give one like 8.1arcmin", setting="size")
    try:
        with open_client(what) as client, name_servers(what.timeout):
            return fetch_cutout(client, complete(client, target), what, band)
    except FetchError as error:
        raise InclinetError(f"{target.name}: {error}") from None


def _target(galaxy: str | SkyCoord | tuple[float, float], size: float | None, pa: float | None) -> Target:
    if isinstance(galaxy, SkyCoord):
        place: tuple[float, float] | None = position_of(galaxy)
    else:
        place = _parse_place(galaxy if isinstance(galaxy, str) else f"{galaxy[0]},{galaxy[1]}")
    if place is None:
        return Target(str(galaxy), stem_of("", str(galaxy)) or "galaxy", size=size, pa=pa)
    name = place_name(*place)
    return Target(name, name, *place, size=size, pa=pa, is_named=False)


def _parse_place(text: str) -> tuple[float, float] | None:
    """Return the position that a text gives, None if it is a name."""
    parts = text.split(",") if "," in text else text.split()
    if len(parts) == 6:
        parts = [" ".join(parts[:3]), " ".join(parts[3:])]
    if len(parts) != 2:
        return None
    try:
        return parse_position(parts[0].strip(), parts[1].strip())
    except ValueError as error:
        if "," in text:
            raise InclinetError(f"{text}: {error}", setting="at") from None
        return None
