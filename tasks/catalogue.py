"""What tasks take from the artifact of a catalogue."""

import json

from inclinet.data.catalog import Catalog, read_catalog
from inclinet.storage.artifacts import Reference
from inclinet.storage.atomic import temporary_folder
from tasks.common import artifacts
from tasks.filenames import CATALOG_FILE, COLUMNS_FILE, LABELS_FILE

__all__ = ["read_catalogue", "read_labels"]


def read_catalogue(catalogue: Reference, image_column: str = "") -> Catalog:
    """Return the catalogue of an artifact, with the images that a column names if one is given.

    Raises
    ------
    InclinetError
        When the catalogue has no such column.
    """
    with temporary_folder("catalogue") as folder:
        [path] = artifacts().fetch(catalogue, folder, [CATALOG_FILE])
        columns = {"image": image_column} if image_column else {}
        if COLUMNS_FILE in catalogue.files:
            columns |= json.loads(artifacts().fetch(catalogue, folder, [COLUMNS_FILE])[0].read_text())
        return read_catalog(path, "the catalogue", columns=columns)


def read_labels(catalogue: Reference) -> dict[int, str]:
    """Return the labels of an artifact by PGC number."""
    with temporary_folder("catalogue") as folder:
        [path] = artifacts().fetch(catalogue, folder, [LABELS_FILE])
        return {int(pgc): label for pgc, label in json.loads(path.read_text()).items()}
