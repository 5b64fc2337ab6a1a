"""Tasks of a run of `cutouts/batch`: which galaxies, the cutouts of one chunk of them, one table of all."""

import json
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from prefect import get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed

from inclinet.cutouts.batch import Folder, check_survey, fetch_all, newest
from inclinet.cutouts.filenames import CUTOUTS_FILE
from inclinet.cutouts.records import CutoutRow, read_rows, rows_text
from inclinet.cutouts.settings import CutoutBatch
from inclinet.cutouts.surveys import address_of, find_survey
from inclinet.cutouts.targets import Target, parse_size, read_catalogue
from inclinet.errors import InclinetError
from inclinet.storage.artifacts import Reference
from inclinet.storage.atomic import temporary_folder
from inclinet.storage.digests import json_digest
from inclinet.storage.store import Store
from tasks.common import artifacts, locate, make_artifact, stage_task

__all__ = ["Galaxies", "fetch_cutouts_task", "gather_cutouts_task", "list_galaxies_task"]

_PARTS = ".cutouts"
"""Folder, beside the cutouts, of the tables of the chunks of runs that have not ended."""


@dataclass(frozen=True)
class Galaxies:
    """The galaxies of a catalogue.

    Attributes
    ----------
    n : int
        How many rows the catalogue has.
    chunks : list of str
    reference : Reference
        Artifact with the targets of each chunk.
    """

    n: int
    chunks: list[str]
    reference: Reference


@stage_task("listing", "list-galaxies")
def list_galaxies_task(what: CutoutBatch) -> State:
    """Read the catalogue, and share its galaxies out over chunks; the data are `Galaxies`."""
    address_of(find_survey(what.survey, what.bands), what.url)
    store, key = locate(what.catalog, artifacts().store)
    with temporary_folder("cutouts") as folder:
        path = folder / Path(key).name
        try:
            store.get(key, path)
        except FileNotFoundError:
            raise InclinetError(
                f"catalogue {what.catalog!r} is not in {store.uri}; upload it or change `catalog`", setting="catalog"
            ) from None
        targets = read_catalogue(path, what.catalog, size=parse_size(what.size) if what.size else None)
    if not targets:
        raise InclinetError(f"{what.catalog}: the catalogue has no rows", setting="catalog")
    images, prefix = locate(what.images, artifacts().store)
    check_survey(_rows_in(images, prefix), what.survey, what.images)
    members = [asdict(target) for target in targets]
    lists = {f"{n:03d}": members[n * what.chunk : (n + 1) * what.chunk] for n in range(-(-len(members) // what.chunk))}

    def work(folder: Path) -> dict[str, int]:
        for name, chunk in lists.items():
            (folder / f"{name}.json").write_text(json.dumps(chunk))
        return {"galaxies": len(members)}

    inputs = {name: json_digest(chunk) for name, chunk in lists.items()}
    reference = make_artifact("listing", "galaxies", inputs=inputs, settings=None, work=work)
    return Completed(message=f"{len(members):,} galaxies", data=Galaxies(len(members), list(lists), reference))


class _StoreFolder(Folder):
    """Cutouts on their way into a store: what it has counts as there, and is not copied here."""

    def __init__(self, path: Path, rows: Iterable[CutoutRow], names: set[str]) -> None:
        super().__init__(path)
        self.rows = newest(rows)
        self._names = names

    def holds(self, row: CutoutRow) -> bool:
        """Return whether the store has the picture of a row; objects are written whole or not at all."""
        return row.file in self._names

    def has_file(self, name: str) -> bool:
        """Return whether the store has an object of this name, whoever made it."""
        return name in self._names


def _key(prefix: str, *names: str) -> str:
    return "/".join(filter(None, (prefix, *names)))


def _rows_in(store: Store, prefix: str) -> list[CutoutRow]:
    """Return the rows of the table beside the cutouts, and then those of chunks of runs that have not ended."""
    keys = [_key(prefix, CUTOUTS_FILE), *sorted(entry.key for entry in store.list(_key(prefix, _PARTS)))]
    rows: list[CutoutRow] = []
    for key in keys:
        with suppress(FileNotFoundError):
            rows += read_rows(store.read(key).decode("utf-8", "replace"))
    return rows


@stage_task("cutouts", "cutouts-{chunk}")
def fetch_cutouts_task(what: CutoutBatch, galaxies: Reference, chunk: str) -> State:
    """Fetch the cutouts of a chunk of galaxies into the folder of the images; the data are their rows' key.

    The table of the chunk goes first: a picture in the folder that is in no table is none of ours, and stays.
    """
    store, prefix = locate(what.images, artifacts().store)
    with temporary_folder("cutouts") as folder:
        [path] = artifacts().fetch(galaxies, folder, [f"{chunk}.json"])
        targets = [Target(**values) for values in json.loads(path.read_text())]
        names = {entry.key.rpartition("/")[2] for entry in store.list(prefix)}
        fetched = _StoreFolder(folder / "images", _rows_in(store, prefix), names)
        rows = fetch_all(targets, what, fetched)
        key = _key(prefix, _PARTS, f"{galaxies.digest[:12]}-{chunk}.csv")
        store.write(key, rows_text(rows).encode())
        new = [row.file for row in rows if row.file and (fetched.path / row.file).exists()]
        for name in new:
            store.put(fetched.path / name, _key(prefix, name))
    there = sum(bool(row.file) for row in rows)
    message = f"{len(new):,} cutouts fetched, {there - len(new):,} were there, {len(rows) - there:,} are not to be had"
    return Completed(message=message, data=key)


@stage_task("gather", "gather")
def gather_cutouts_task(what: CutoutBatch, parts: list[str]) -> State:
    """Write the table of all cutouts beside them, `cutouts.csv`: the rows of this run, then those of other galaxies.

    `parts` are the keys of the tables of the chunks.
    """
    store, prefix = locate(what.images, artifacts().store)
    table, folder = _key(prefix, CUTOUTS_FILE), _key(prefix, _PARTS)
    rows = [row for key in parts for row in read_rows(store.read(key).decode())]
    fresh = {(row.name, row.band) for row in rows}
    others = [row for key, row in newest(_rows_in(store, prefix)).items() if key not in fresh]
    store.write(table, rows_text([*rows, *others]).encode())
    problems = Counter(row.problem for row in rows if row.problem)
    there = len(rows) - problems.total()
    counts = [{"": "cutouts", "n": there}, *({"": problem, "n": n} for problem, n in problems.most_common(100))]
    create_table_artifact(counts, key="cutouts", description=f"The table is {store.uri}/{table}.")
    for entry in list(store.list(folder)):
        store.delete(entry.key)
    if not there:
        why = "; ".join(problem for problem, _ in problems.most_common(5))
        raise InclinetError(f"no cutouts: {why}")
    message = f"{there:,} cutouts in {what.images}, {problems.total():,} are not to be had; see {store.uri}/{table}"
    get_run_logger().info("%s", message)
    return Completed(message=message)
