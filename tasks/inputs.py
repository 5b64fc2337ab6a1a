"""Tasks that look at the inputs: the catalogue, and which images there are, by their content."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from prefect.client.schemas.objects import State
from prefect.states import Completed

from inclinet.data.catalog import read_catalog
from inclinet.data.filenames import parse_image
from inclinet.data.images import MAX_BYTES, choose_images
from inclinet.errors import InclinetError
from inclinet.preparation.prep import write_skipped
from inclinet.settings import Sample
from inclinet.storage.artifacts import Reference
from inclinet.storage.atomic import temporary_folder
from inclinet.storage.digests import json_digest
from inclinet.storage.store import Entry, Store
from tasks.buckets import buckets, write_buckets
from tasks.common import artifacts, locate, make, stage_task
from tasks.filenames import CATALOG_FILE, FILES_FILE, LABELS_FILE, SKIPPED_FILE

__all__ = ["catalogue_task", "find_sample_task", "inventory_task"]

_BUCKET = 500  # images at most
_PARALLEL = 16
_WINDOW = 512  # files on their way at a time: a future for each of 80,000 would take more memory than their names


@stage_task("find", "find-sample")
def find_sample_task(sample: Sample) -> State:
    """Look whether there is a sample; the data are False when there is neither a catalogue nor any file of images."""
    images, prefix = locate(sample.images, artifacts().store)
    store, key = locate(sample.catalog, artifacts().store)
    if any(True for _ in images.list(prefix)) or _exists(store, key):
        return Completed(message="found", data=True)
    return Completed(message=f"neither {sample.catalog} nor any file in {sample.images}", data=False)


def _exists(store: Store, key: str) -> bool:
    try:
        store.read(key)
    except FileNotFoundError:
        return False
    return True


@stage_task("catalogue", "catalogue")
def catalogue_task(sample: Sample) -> State:
    """Read and check the catalogue; the artifact holds it, the labels by PGC number, and the skipped rows."""
    store, key = locate(sample.catalog, artifacts().store)
    try:
        content = store.read(key)
    except FileNotFoundError:
        raise InclinetError(
            f"catalogue {sample.catalog!r} is not in {store.uri}; upload it or change `catalog`", setting="catalog"
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


def _images_of_band(store: Store, prefix: str, imroot: str, band: str) -> dict[str, Entry]:
    """Return the images of one band below a prefix, by file name."""
    named = ((entry.key.rpartition("/")[2], entry) for entry in store.list(prefix))
    return {
        name: entry
        for name, entry in named
        if (parsed := parse_image(name, imroot)) is not None and parsed.band == band
    }


def _read_memo(key: str) -> dict[str, list]:
    """Return size, tag and SHA-256 of files read before, by key; nothing when the memo is missing or damaged."""
    try:
        memo = json.loads(artifacts().store.read(key))
    except (FileNotFoundError, ValueError):
        return {}
    if not isinstance(memo, dict):
        return {}
    return {name: known for name, known in memo.items() if isinstance(known, list) and len(known) == 3}


def _digests(store: Store, folder: str, entries: Iterable[Entry]) -> dict[str, str]:
    """Return the SHA-256 of each file by key; a file of the same size and tag as before is not read again."""
    where = hashlib.sha256(f"{store.uri}/{folder}".encode()).hexdigest()[:24]
    memo_key = f"digests/{where}.json"
    memo = _read_memo(memo_key)
    entries = list(entries)
    unread = [entry for entry in entries if memo.get(entry.key, [])[:2] != [entry.size, entry.tag]]

    def read(entry: Entry) -> list:
        try:
            return [entry.size, entry.tag, hashlib.sha256(store.read(entry.key)).hexdigest()]
        except FileNotFoundError:
            raise InclinetError(f"{store.uri}/{entry.key} was removed during the run; run it again") from None

    with ThreadPoolExecutor(_PARALLEL) as pool:
        for start in range(0, len(unread), _WINDOW):
            window = unread[start : start + _WINDOW]
            memo.update(zip([entry.key for entry in window], pool.map(read, window), strict=True))
    if unread:
        artifacts().store.write(memo_key, json.dumps(memo).encode())
    return {entry.key: memo[entry.key][2] for entry in entries}


def _read_labels(labels: Reference) -> dict[int, str]:
    with temporary_folder("inventory") as folder:
        [path] = artifacts().fetch(labels, folder, [LABELS_FILE])
        return {int(pgc): label for pgc, label in json.loads(path.read_text()).items()}


def _unusable(
    chosen: Mapping[int, str], known: Mapping[int, str], entries: Mapping[str, Entry]
) -> dict[int | str, str]:
    """Return why images cannot be used, by PGC number."""
    sizes = {pgc: entries[name].size for pgc, name in chosen.items()}
    reasons: dict[int | str, str] = {
        pgc: f"{chosen[pgc]}: {size} bytes is too large for a cutout" for pgc, size in sizes.items() if size > MAX_BYTES
    }
    reasons.update({pgc: f"{name}: not in the catalogue" for pgc, name in chosen.items() if pgc not in known})
    return reasons


@stage_task("inventory", "inventory-{band}")
def inventory_task(sample: Sample, band: str, labels: Reference) -> State:
    """List the images of one band with their digests and labels, in buckets of 500 images at most.

    Rows are ``[PGC number, file name, SHA-256, label]``. The artifact's `chunks` fact gives the digest of each bucket:
    what the prep of that bucket depends on. One image more or less changes one bucket (see `tasks.buckets`).
    """
    store, prefix = locate(sample.images, artifacts().store)
    entries = _images_of_band(store, prefix, sample.imroot, band)
    if not entries:
        files = sum(1 for _ in store.list(prefix))
        raise InclinetError(
            f"{sample.images}: no image such as pgc<ID>_{sample.imroot}_{band} among {files} files in "
            f"{store.uri}; put them there, or change `images`, `imroot` or `bands`",
            setting="images",
        )
    chosen, known = choose_images(entries, sample.imroot, band), _read_labels(labels)
    skipped = _unusable(chosen, known, entries)
    usable = {str(pgc): name for pgc, name in chosen.items() if pgc not in skipped}
    digests = _digests(store, f"{prefix}/{band}", (entries[name] for name in usable.values()))

    def row(pgc: str) -> list:
        name = usable[pgc]
        return [int(pgc), name, digests[entries[name].key], known[int(pgc)]]

    rows = {bucket: [row(pgc) for pgc in pgcs] for bucket, pgcs in buckets(usable, _BUCKET).items()}
    skipped |= {pgc: f"no image in band {band}" for pgc in known if pgc not in chosen}
    chunks = {bucket: json_digest(members) for bucket, members in rows.items()}
    facts = {"found": len(chosen), "images": len(usable), "skipped": len(skipped), "chunks": chunks}

    def work(folder: Path) -> Mapping:
        write_buckets(folder / FILES_FILE, rows)
        write_skipped(folder / SKIPPED_FILE, skipped)
        return facts

    inputs = {"files": json_digest(chunks), "skipped": json_digest(skipped), "catalogue": labels.digest}
    return make("inventory", band, inputs=inputs, settings=None, work=work)
