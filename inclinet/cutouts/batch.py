"""Cutouts of a whole catalogue into a folder: in parallel, resumable, with a row for every galaxy."""

import logging
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path

from inclinet.cutouts.client import Client, FetchError
from inclinet.cutouts.fetch import complete, fetch_cutout, file_of, open_client, planned_row
from inclinet.cutouts.filenames import CUTOUTS_FILE, JOURNAL_FILE
from inclinet.cutouts.pictures import BLANK
from inclinet.cutouts.records import CutoutRow, digest, now, read_rows, rows_text, write_rows
from inclinet.cutouts.resolve import name_servers
from inclinet.cutouts.settings import Cutouts
from inclinet.cutouts.surveys import address_of, find_survey
from inclinet.cutouts.targets import Target
from inclinet.errors import InclinetError
from inclinet.progress import Track, silent
from inclinet.storage.atomic import atomic_file

__all__ = ["Folder", "check_survey", "fetch_all", "make_cutouts", "newest"]

logger = logging.getLogger(__name__)

_LOST_IN_A_ROW = 20
"""Galaxies in a row that the server's troubles cost until the run asks no more."""


class Folder:
    """A folder of cutouts and what is known of them from earlier runs.

    Rows are written to a journal as they come, and a row before its picture: after a kill, a picture without a row
    is not of Inclinet's making, and stays as it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._journal = path / JOURNAL_FILE
        path.mkdir(parents=True, exist_ok=True)
        self.rows = self._read()

    def _read(self) -> dict[tuple[str, str], CutoutRow]:
        """Return the rows of earlier runs by name and band; the journal of an unfinished one goes into the table."""
        table = self.path / CUTOUTS_FILE
        texts = [path.read_text(errors="replace") for path in (table, self._journal) if path.is_file()]
        rows = newest(row for text in texts for row in read_rows(text))
        if self._journal.is_file():
            write_rows(rows.values(), table)
            self._journal.unlink()
        return rows

    def holds(self, row: CutoutRow) -> bool:
        """Return whether the picture of a row is here, and whole."""
        try:
            return bool(row.file) and digest((self.path / row.file).read_bytes()) == row.sha256
        except OSError:
            return False

    def has_file(self, name: str) -> bool:
        """Return whether there is a file of this name, whoever made it."""
        return (self.path / name).exists()

    def save(self, row: CutoutRow, content: bytes) -> None:
        """Keep a row, and the content of its picture if it has one."""
        with self._lock:
            header = not self._journal.exists()
            with self._journal.open("a", encoding="utf-8") as file:
                file.write(rows_text([row], header=header))
        if row.file:
            with atomic_file(self.path / row.file) as part:
                part.write_bytes(content)

    def finish(self, rows: Sequence[CutoutRow]) -> None:
        """Write the table of the rows of a run, and of those of earlier runs about other galaxies."""
        fresh = {(row.name, row.band) for row in rows}
        write_rows([*rows, *(row for key, row in self.rows.items() if key not in fresh)], self.path / CUTOUTS_FILE)
        self._journal.unlink(missing_ok=True)


def newest(rows: Iterable[CutoutRow]) -> dict[tuple[str, str], CutoutRow]:
    """Return the last row of each galaxy and band that has a picture, else the last one, by name and band."""
    found: dict[tuple[str, str], CutoutRow] = {}
    for row in rows:
        old = found.get((row.name, row.band))
        if old is None or row.file or not old.file:
            found[row.name, row.band] = row
    return found


def check_survey(rows: Iterable[CutoutRow], survey: str, place: str) -> None:
    """Check that pictures of several surveys do not mix: their names do not tell them apart.

    Raises
    ------
    InclinetError
        Naming the other survey and the place.
    """
    others = {row.survey for row in rows if row.file} - {survey}
    if others:
        raise InclinetError(
            f"{place} holds cutouts of {', '.join(sorted(others))}; take another folder for {survey}", setting="out"
        )


class _Run:
    """One run over a catalogue: what its threads share."""

    def __init__(self, client: Client, what: Cutouts, folder: Folder) -> None:
        self._client, self._what, self._folder = client, what, folder
        self._lock = threading.Lock()
        self._lost = 0

    def fetch(self, target: Target) -> list[CutoutRow]:
        """Return the rows of a galaxy, one per band; never raises on account of a galaxy or a server."""
        try:
            target = self._complete(target)
        except FetchError as error:
            if not target.problem:
                self._count(error)
            return [self._failed(target, band, str(error)) for band in self._what.bands]
        return [self._fetch_band(target, band) for band in self._what.bands]

    def _complete(self, target: Target) -> Target:
        """Return a target with its position and size: from its row, an earlier run, or the servers of names."""
        for band in self._what.bands:
            old = self._folder.rows.get((target.name, band))
            if target.ra is None and old and old.ra is not None:
                size = target.size or old.d25
                target = replace(
                    target, ra=old.ra, dec=old.dec, size=size, pa=old.pa if target.pa is None else target.pa
                )
        if (target.ra is None or target.size is None) and not target.problem:
            self._check_server()
        return complete(self._client, target)

    def _check_server(self) -> None:
        """Raise an error where there is no more to be asked for."""
        if self._lost >= _LOST_IN_A_ROW:
            raise FetchError(f"not asked for: {_LOST_IN_A_ROW} galaxies in a row got no answer; run again later")

    def _fetch_band(self, target: Target, band: str) -> CutoutRow:
        row = planned_row(target, self._what, band)
        old = self._folder.rows.get((row.name, row.band))
        name = file_of(target, row, self._what)
        if old and old.asks_the_same(row) and (old.problem == BLANK or (old.file == name and self._folder.holds(old))):
            return old
        if self._folder.has_file(name) and (old is None or old.file != name):
            return self._failed(target, band, f"{name} exists, and is not a cutout of this table; move it away")
        try:
            self._check_server()
            cutout = fetch_cutout(self._client, target, self._what, band)
        except FetchError as error:
            self._count(error)
            return self._failed(target, band, str(error))
        self._count(None)
        self._folder.save(cutout.row, cutout.content)
        return cutout.row

    def _failed(self, target: Target, band: str, problem: str) -> CutoutRow:
        row = planned_row(target, self._what, band).model_copy(update={"date": now(), "problem": problem})
        logger.info("%s, %s: %s", target.name or "a row without a name", band, problem)
        self._folder.save(row, b"")
        return row

    def _count(self, error: FetchError | None) -> None:
        """Count the galaxies in a row that were lost to the server's troubles."""
        with self._lock:
            if self._lost >= _LOST_IN_A_ROW:
                return
            self._lost = self._lost + 1 if error is not None and error.is_trouble else 0
            if self._lost == _LOST_IN_A_ROW:
                logger.warning("%d galaxies in a row got no answer (%s); no more are asked for", self._lost, error)


def fetch_all(targets: Sequence[Target], what: Cutouts, folder: Folder, track: Track = silent) -> list[CutoutRow]:
    """Fetch the cutouts of all targets into a folder; returns a row for each target and band, in their order.

    Cutouts that are there, whole, and answer the same question are not fetched again, nor are blank ones.
    """
    results: dict[int, list[CutoutRow]] = {}
    with open_client(what) as client, name_servers(what.timeout):
        run = _Run(client, what, folder)
        with ThreadPoolExecutor(what.parallel, thread_name_prefix="cutouts") as pool:
            waiting = {pool.submit(run.fetch, target): place for place, target in enumerate(targets)}
            try:
                for done in track(as_completed(waiting), "cutouts", len(waiting)):
                    results[waiting[done]] = done.result()
            except BaseException:
                client.stop()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    return [row for place in range(len(targets)) for row in results[place]]


def make_cutouts(targets: Sequence[Target], path: Path, what: Cutouts, track: Track = silent) -> list[CutoutRow]:
    """Fetch the cutouts of all targets into a folder, with their table `cutouts.csv`; returns the rows of this run.

    Raises
    ------
    InclinetError
        When the survey has no such band, or the folder holds cutouts of another one.
    """
    address_of(find_survey(what.survey, what.bands), what.url)
    folder = Folder(path)
    check_survey(folder.rows.values(), what.survey, str(path))
    rows = fetch_all(targets, what, folder, track)
    folder.finish(rows)
    return rows
