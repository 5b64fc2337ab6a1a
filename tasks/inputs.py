"""Tasks that look at the inputs: the catalogue, and which images there are, by their content."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from prefect.client.schemas.objects import State
from prefect.states import Completed

from inclinet.data.catalog import read_catalog
from inclinet.data.images import MAX_BYTES
from inclinet.errors import InclinetError
from inclinet.preparation.prep import write_skipped
from inclinet.settings import Sample
from inclinet.storage.artifacts import Reference
from inclinet.storage.digests import json_digest
from inclinet.storage.store import Entry, Store
from tasks.buckets import buckets, write_buckets
from tasks.catalogue import read_labels
from tasks.common import artifacts, locate, make, stage_task
from tasks.filenames import CATALOG_FILE, COLUMNS_FILE, FILES_FILE, LABELS_FILE, SKIPPED_FILE
from tasks.images import Found, find_images

__all__ = ["catalogue_task", "find_sample_task", "inventory_task", "is_there"]

_BUCKET = 500  # images at most
_PARALLEL = 16
_WINDOW = 512  # files on their way at a time: a future for each of 80,000 would take more memory than their names


@stage_task("find", "find-sample")
def find_sample_task(sample: Sample) -> State:
    """Look whether there is a sample; the data are False when there is neither a catalogue nor any file of images."""
    if is_there(sample):
        return Completed(message="found", data=True)
    return Completed(message=f"neither {sample.catalog} nor any file in {sample.images}", data=False)


def is_there(sample: Sample) -> bool:
    """Return whether there is a catalogue or any file of images."""
    images, prefix = locate(sample.images, artifacts().store)
    store, key = locate(sample.catalog, artifacts().store)
    return any(True for _ in images.list(prefix)) or _exists(store, key)


def _exists(store: Store, key: str) -> bool:
    try:
        store.read(key)
    except FileNotFoundError:
        return False
    return True


@stage_task("catalogue", "catalogue")
def catalogue_task(sample: Sample) -> State:
    """Read and check the catalogue; the artifact holds it, the labels by PGC number, and the skipped rows.

    Where columns are called otherwise, it holds their names, too: what is made from it depends on them.
    """
    store, key = locate(sample.catalog, artifacts().store)
    try:
        content = store.read(key)
    except FileNotFoundError:
        raise InclinetError(
            f"catalogue {sample.catalog!r} is not in {store.uri}; upload it or change `catalog`", setting="catalog"
        ) from None
    columns = sample.columns

    def work(folder: Path) -> Mapping[str, int]:
        path = folder / CATALOG_FILE
        path.write_bytes(content)
        catalog = read_catalog(path, sample.catalog, columns=columns)
        (folder / LABELS_FILE).write_text(json.dumps(catalog.labels))
        write_skipped(folder / SKIPPED_FILE, catalog.skipped)
        if columns:
            (folder / COLUMNS_FILE).write_text(json.dumps(columns, sort_keys=True))
        return {"galaxies": len(catalog.labels), "skipped": len(catalog.skipped)}

    inputs = {"catalogue": hashlib.sha256(content).hexdigest()}
    return make("catalogue", "catalogue", inputs=inputs, settings={"columns": columns} if columns else None, work=work)


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
    """Return a digest of each file by key: its fingerprint where the listing tells one, else its SHA-256.

    A file of the same size and tag as before is not read again.
    """
    entries = list(entries)
    listed = {entry.key: entry.fingerprint for entry in entries if entry.fingerprint}
    return listed | _sha256_of(store, folder, [entry for entry in entries if not entry.fingerprint])


def _sha256_of(store: Store, folder: str, entries: Sequence[Entry]) -> dict[str, str]:
    if not entries:
        return {}
    where = hashlib.sha256(f"{store.uri}/{folder}".encode()).hexdigest()[:24]
    memo_key = f"digests/{where}.json"
    memo = _read_memo(memo_key)
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


def _digests_of_all(sample: Sample, band: str, found: Found, names: Iterable[str]) -> dict[str, str]:
    """Return the digests of images by name; each store has its own memo."""
    stores: dict[str, tuple[Store, dict[str, Entry]]] = {}
    for name in names:
        store, entry = found.stored[name]
        stores.setdefault(store.uri, (store, {}))[1][name] = entry
    label = f"{locate(sample.images, artifacts().store)[1]}/{band}"
    if sample.image_column:
        label += f"/{sample.image_column}"
    digests: dict[str, str] = {}
    for store, entries in stores.values():
        by_key = _digests(store, label, entries.values())
        digests |= {name: by_key[entry.key] for name, entry in entries.items()}
    return digests


def _unusable(found: Found, known: Mapping[int, str]) -> dict[int | str, str]:
    """Return why images cannot be used, by PGC number."""
    sizes = {pgc: found.stored[name][1].size for pgc, name in found.chosen.items() if name in found.stored}
    reasons: dict[int | str, str] = {
        pgc: f"{found.chosen[pgc]}: {size} bytes is too large for a cutout"
        for pgc, size in sizes.items()
        if size > MAX_BYTES
    }
    reasons.update({pgc: f"{name}: not in the catalogue" for pgc, name in found.chosen.items() if pgc not in known})
    return reasons | found.problems


@stage_task("inventory", "inventory-{band}")
def inventory_task(sample: Sample, band: str, labels: Reference) -> State:
    """List the images of one band with their digests and labels, in buckets of 500 images at most.

    Rows are ``[PGC number, name of the image, digest, label]``; the digest is S3's ETag where that has 32 digits,
    else a SHA-256. The artifact's `chunks` fact gives the digest of each bucket: what the prep of that bucket depends
    on. One image more or less changes one bucket (see `tasks.buckets`).
    """
    found, known = find_images(sample, band, labels), read_labels(labels)
    skipped = _unusable(found, known)
    usable = {str(pgc): name for pgc, name in found.chosen.items() if pgc not in skipped}
    digests = _digests_of_all(sample, band, found, usable.values())

    def row(pgc: str) -> list:
        name = usable[pgc]
        return [int(pgc), name, digests[name], known[int(pgc)]]

    rows = {bucket: [row(pgc) for pgc in pgcs] for bucket, pgcs in buckets(usable, _BUCKET).items()}
    skipped |= {pgc: f"no image in band {band}" for pgc in known if pgc not in found.chosen}
    chunks = {bucket: json_digest(members) for bucket, members in rows.items()}
    facts = {"found": len(found.chosen), "images": len(usable), "skipped": len(skipped), "chunks": chunks}

    def work(folder: Path) -> Mapping:
        write_buckets(folder / FILES_FILE, rows)
        write_skipped(folder / SKIPPED_FILE, skipped)
        return facts

    inputs = {"files": json_digest(chunks), "skipped": json_digest(skipped), "catalogue": labels.digest}
    return make("inventory", band, inputs=inputs, settings=None, work=work)
