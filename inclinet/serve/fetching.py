"""Images of the galaxies of an uploaded catalogue, from an image server."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from inclinet.cutouts.client import Client, FetchError
from inclinet.cutouts.fetch import complete, fetch_cutout, open_client
from inclinet.cutouts.resolve import name_servers
from inclinet.cutouts.settings import Cutouts
from inclinet.cutouts.surveys import find_survey
from inclinet.cutouts.targets import Target, read_catalogue
from inclinet.data.bands import COLOUR, COLOUR_LETTER
from inclinet.data.galaxies import parse_pgc
from inclinet.errors import InclinetError
from inclinet.prediction.remote import with_cutout
from inclinet.prediction.source import Source
from inclinet.serve.sources import catalogue_file
from inclinet.serve.uploads import Upload
from inclinet.storage.store import FolderStore

__all__ = ["POLITE", "fetch_images", "read_targets"]

POLITE = Cutouts(attempts=2, timeout=20.0)
"""How servers are asked while somebody waits for the answer."""

_MOST = 50  # galaxies of a catalogue


def read_targets(catalogue: Upload) -> list[Target]:
    """Return the galaxies of a catalogue whose images are to be fetched.

    Raises
    ------
    InclinetError
        When it cannot be read, or has too many rows.
    """
    with catalogue_file(catalogue) as path:
        targets = read_catalogue(path, catalogue.name)
    if not 0 < len(targets) <= _MOST:
        raise InclinetError(
            f"{catalogue.name}: {len(targets):,} rows; images are fetched for 1 to {_MOST}: upload the images too, or "
            "fetch them with `inclinet cutouts`"
        )
    return targets


def fetch_images(targets: Sequence[Target], survey: str = "") -> list[Source]:
    """Return the colour image of each galaxy, or a source with a problem."""
    what = POLITE.model_copy(update={"survey": find_survey(survey).name}) if survey else POLITE
    with open_client(what) as client, name_servers(what.timeout):
        return [_fetch_image(client, target, what) for target in targets]


def _fetch_image(client: Client, target: Target, what: Cutouts) -> Source:
    image = Source("", FolderStore(Path()), "", parse_pgc(target.name, bare=False), target.name, band=COLOUR_LETTER)
    try:
        cutout = fetch_cutout(client, complete(client, target), what, COLOUR)
    except FetchError as error:
        return replace(image, problem=str(error))
    return with_cutout(image, cutout)
