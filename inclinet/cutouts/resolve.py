"""Galaxies by name: where they are (Sesame), and how large and which way round (SIMBAD)."""

import csv
import http.client
import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

from astropy.coordinates.name_resolve import NameResolveError, get_icrs_coordinates, sesame_url
from astropy.utils.data import conf

from inclinet.cutouts.client import Client, FetchError
from inclinet.cutouts.targets import pa_of, position_of, size_of

__all__ = ["ask_position", "ask_shape", "name_servers"]

SESAME, SIMBAD = "INCLINET_SESAME_URL", "INCLINET_SIMBAD_URL"
"""Environment variables with other addresses of the two servers."""

_SIMBAD = "https://simbad.cds.unistra.fr/simbad"
_SHAPE = (
    "SELECT galdim_majaxis, galdim_angle FROM basic JOIN ident ON basic.oid = ident.oidref WHERE ident.id = '{name}'"
)


@contextmanager
def name_servers(timeout: float) -> Iterator[None]:
    """Let astropy ask Sesame where the environment says, and not wait for longer than `timeout` seconds.

    astropy keeps both for the whole process: enter this once, around all threads.
    """
    address = os.environ.get(SESAME)
    servers = [f"{address.rstrip('/')}/"] if address else sesame_url.get()
    with sesame_url.set(servers), conf.set_temp("remote_timeout", timeout):
        yield


def ask_position(client: Client, name: str) -> tuple[float, float]:
    """Return the ICRS position (deg) that Sesame knows for a name.

    Raises
    ------
    FetchError
        When it knows none, or does not answer.
    """

    def ask() -> tuple[float, float]:
        client.take_turn()
        try:
            return position_of(get_icrs_coordinates(name))
        except NameResolveError as error:
            if "Unable to find coordinates" in str(error):
                raise FetchError(f"no position: Sesame knows no {name!r}") from None
            raise FetchError(f"no position: Sesame does not answer ({_last_line(error)})", is_trouble=True) from None
        except (OSError, http.client.HTTPException) as error:
            raise FetchError(f"no position: Sesame does not answer ({error})", is_trouble=True) from None

    return client.retry(ask)


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1].strip()


def ask_shape(client: Client, name: str) -> tuple[float | None, float | None]:
    """Return the diameter (arcmin) and the position angle (deg) that SIMBAD has of a galaxy; None for the unknown.

    They are those of the columns `galdim_majaxis` and `galdim_angle`, from different papers for different galaxies: the
    diameter is near D25, but not the same isophote everywhere.

    Raises
    ------
    FetchError
        When SIMBAD does not answer.
    """
    query = _SHAPE.format(name=name.replace("'", "''"))
    address = os.environ.get(SIMBAD, _SIMBAD).rstrip("/")
    fields = {"request": "doQuery", "lang": "adql", "format": "csv", "query": query}
    try:
        text = client.get(f"{address}/sim-tap/sync?{urlencode(fields)}", lambda body: body.decode("utf-8", "replace"))
    except FetchError as error:
        raise FetchError(f"no size: SIMBAD does not answer ({error})", is_trouble=error.is_trouble) from None
    row = {name: value or "" for name, value in next(csv.DictReader(text.splitlines()), {}).items()}
    return size_of(row), pa_of(row)
