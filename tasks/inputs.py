"""Tasks that look at what comes in: the catalogue, and which images there are, by their content."""

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from prefect.client.schemas.objects import State

from inclinet.data.catalog import read_catalog
from inclinet.data.images import MAX_BYTES, choose_images
from inclinet.errors import InclinetError
from inclinet.preparation.prep import write_skipped
from inclinet.settings import Sample
from inclinet.storage.artifacts import Reference
from inclinet.storage.atomic import temporary_folder
from inclinet.storage.store import Entry, Store
from tasks.common import artifacts, in_chunks, locate, make, stage_task
from tasks.filenames import CATALOG_FILE, FILES_FILE, LABELS_FILE, SKIPPED_FILE

__all__ = ["catalogue_task", "inventory_task"]

_CHUNK = 500  # images, about
_PARALLEL = 16


@stage_task("catalogue", "catalogue")
def catalogue_task(sample: Sample) -> State:
    """Read and check the catalogue; the artifact holds it, the labels by PGC number, and the rows skipped."""
    store, key = locate(sample.catalog, artifacts().store)
    try:
        content = store.read(key)
    except FileNotFoundError:
        raise InclinetError(
            f"catalogue {sample.catalog!r} is not in {store.uri}; upload it or change `catalog`"
        ) from None

    def work(folder: Path) -> Mapping[str, int]:
        path = folder / CATALOG_FILE
        path.write_bytes(content)
        catalog = read_catalog(path, sample.catalog)
        (folder / LABELS_FILE).write_text(json.dumps(catalog.labels))
        write_skipped(folder / SKIPPED_FILE, catalog.skipped)
        return {"galaxies": len(catalog.labels), "skipped": len(catalog.skipped)}

    inputs = {"catalogue": hashlib.sha256(content).hexdigest()}
    return make("catalogue", "catalogue", inputs=inputs, settings=None, work=work)


def _digests(store: Store, folder: str, chosen: Mapping[str, Entry]) -> dict[str, str]:
    """Return the SHA-256 of each file; those whose size and tag did not change are not read again."""
    where = hashlib.sha256(f"{store.uri}/{folder}".encode()).hexdigest()[:24]
    memo_store, memo_key = artifacts().store, f"digests/{where}.json"
    try:
        memo = json.loads(memo_store.read(memo_key))
    except (FileNotFoundError, ValueError):
        memo = {}

    def digest(entry: Entry) -> list:
        known = memo.get(entry.key)
        if known and known[:2] == [entry.size, entry.tag]:
            return known
        return [entry.size, entry.tag, hashlib.sha256(store.read(entry.key)).hexdigest()]

    with ThreadPoolExecutor(_PARALLEL) as pool:
        found = dict(zip([e.key for e in chosen.values()], pool.map(digest, chosen.values()), strict=True))
    if any(memo.get(key) != value for key, value in found.items()):
        memo_store.write(memo_key, json.dumps(memo | found).encode())
    return {name: found[entry.key][2] for name, entry in chosen.items()}


@stage_task("inventory", "inventory-{band}")
def inventory_task(sample: Sample, band: str, labels: Reference) -> State:
    """List the images of one band with their digests and labels, in chunks of about 500.

    The artifact's `chunks` fact gives the digest of each chunk: what the prep of that chunk depends on.
    """
    store, prefix = locate(sample.images, artifacts().store)
    entries = {entry.key.rpartition("/")[2]: entry for entry in store.list(prefix)}
    chosen = choose_images(entries, sample.imroot, band)
    if not chosen:
        raise InclinetError(
            f"{sample.images}: no image such as pgc<ID>_{sample.imroot}_{band} among {len(entries)} files in "
            f"{store.uri}; put them there, or change `images`, `imroot` or `bands`"
        )
    with temporary_folder("inventory") as folder:
        [path] = artifacts().fetch(labels, folder, [LABELS_FILE])
        known = {int(pgc): label for pgc, label in json.loads(path.read_text()).items()}
    names = [name for pgc, name in chosen.items() if pgc in known and entries[name].size <= MAX_BYTES]
    digests = _digests(store, f"{prefix}/{band}", {name: entries[name] for name in names})
    rows = {str(pgc): [pgc, name, digests[name], known[pgc]] for pgc, name in chosen.items() if name in digests}
    files, chunks = in_chunks(rows, _CHUNK)
    skipped = {pgc: f"{name}: not in the catalogue" for pgc, name in chosen.items() if pgc not in known}
    skipped |= {pgc: f"no image in band {band}" for pgc in known if pgc not in chosen}
    skipped |= {
        pgc: f"{name}: {entries[name].size} bytes is too large for a cutout"
        for pgc, name in chosen.items()
        if pgc in known and name not in digests
    }
    content = json.dumps(files)
    facts = {
        "found": len(chosen),
        "images": len(names),
        "skipped": len(skipped),
        "chunks": chunks,
    }

    def work(folder: Path) -> Mapping:
        (folder / FILES_FILE).write_text(content)
        write_skipped(folder / SKIPPED_FILE, skipped)
        return facts

    inputs = {"files": hashlib.sha256(content.encode()).hexdigest(), "catalogue": labels.digest}
    return make("inventory", band, inputs=inputs, settings=None, work=work)
