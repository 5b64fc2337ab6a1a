"""Tasks of a run of `predict/batch` around its chunks: which version, which images are missing, one table of all."""

import json
import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from prefect import get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed

from inclinet.data.filenames import IMAGE_FORMATS, is_image
from inclinet.errors import InclinetError
from inclinet.evaluation.calibration import Calibration
from inclinet.evaluation.filenames import CALIBRATION_FILE, PREDICTIONS_FILE
from inclinet.prediction.folders import NO_TARGET, find_folders, find_links_without_target
from inclinet.prediction.galaxies import by_galaxy
from inclinet.prediction.sources import in_store
from inclinet.records import read_record
from inclinet.registry.choice import choose
from inclinet.settings import Predict
from inclinet.storage.artifacts import DamagedArtifactError, Reference
from inclinet.storage.atomic import temporary_folder
from inclinet.storage.digests import json_digest
from inclinet.storage.store import Entry, Store
from tasks.batch_summary import batch_headline, batch_summary
from tasks.common import artifacts, finished, locate, make_artifact, stage_task
from tasks.drift import report_drift
from tasks.filenames import IMAGES_FILE, IMAGES_TABLE_FILE, SUMMARY_FILE
from tasks.predict import Image, chunk_file, find_predicted, read_images

__all__ = [
    "Listing",
    "children_for",
    "chunks_of",
    "find_listing_task",
    "find_version_task",
    "gather_task",
    "list_images_task",
]

_SMALLEST, _CHUNKS_EACH = 256, 16  # of chunks that are shared out: images, and how many each run gets


@dataclass(frozen=True)
class Listing:
    """Which images are wanted, and which of them are predicted already.

    Attributes
    ----------
    images : int
        Number of images.
    missing : int
        How many of them are not predicted yet.
    chunks : list of str
        Chunks of the missing ones.
    reference : Reference
        Artifact with the lists: of all images, and of each chunk.
    predicted : list of Reference
        Artifacts of the predict stage that hold the others.
    children : int
        With how many child runs the chunks are to be shared.
    """

    images: int
    missing: int
    chunks: list[str]
    reference: Reference
    predicted: list[Reference]
    children: int


def children_for(chunks: int, free: int) -> int:
    """Return with how many child runs a run shares its chunks when a pool has room for `free` more runs.

    One for every two chunks after the first: one or two chunks are predicted before a child run has started.
    """
    return max(0, min(free, (chunks - 1) // 2))


@stage_task("find", "find-listing")
def find_listing_task(key: str) -> State:
    """Look up the lists of images that another run has made; the data are their `Reference`.

    Raises
    ------
    DamagedArtifactError
        When they are missing or damaged.
    """
    reference = artifacts().find(key)
    if reference is None:
        raise DamagedArtifactError(f"{key}: missing or damaged")
    return finished(reference)


def chunks_of(listing: Reference) -> list[str]:
    """Return the chunks of a listing, in order."""
    names = (Path(name).stem for name in listing.files if name != IMAGES_FILE)
    return sorted(names, key=int)


@stage_task("find", "find-version")
def find_version_task(version: str) -> State:
    """Look up the version named, or else the one in use; the data are its name and what is to be known of it."""
    choice = choose(artifacts().store, version or None)
    get_run_logger().log(logging.INFO if choice.is_for_science else logging.WARNING, "%s", choice.statement)
    return Completed(message=choice.statement, data=(choice.published.version, choice.statement))


@stage_task("listing", "listing")
def list_images_task(what: Predict, version: str, free: int = 0) -> State:
    """List the images, and cut those that the version has not predicted yet into chunks.

    An image that any run has predicted with this version and this code is not predicted again unless it was
    rewritten, however the folder has grown since: one image more costs one image. Chunks that are shared with child
    runs, for which there are `free` places, are small enough for all to end at about the same time. The data are a
    `Listing`.
    """
    store, prefix = locate(what.images, artifacts().store)
    entries = _list_files(store, prefix, what.recursive)
    images: list[Image] = [[entry.key, entry.size, entry.tag] for entry in in_store(entries)]
    others = sum(1 for entry in entries if not is_image(entry.key))
    if not images:
        raise InclinetError(
            f"{what.images}: no image among {others:,} files in {store.uri}; images are {', '.join(IMAGE_FORMATS)}",
            setting="images",
        )
    if others:
        get_run_logger().warning("%d files that are not images are left out", others)
    missing = {key: [size, tag] for key, size, tag in images}
    predicted = [one for one in find_predicted(version, store) if _take(missing, read_images(one))]
    todo = [image for image in images if image[0] in missing]
    children = children_for(_count(len(todo), what.chunk), free)
    chunks = _cut(todo, what.chunk, children)
    lists = {IMAGES_FILE: images} | {chunk_file(chunk): members for chunk, members in chunks.items()}

    def work(folder: Path) -> dict[str, int]:
        for name, members in lists.items():
            (folder / name).write_text(json.dumps(members))
        return {"images": len(images), "missing": len(todo)}

    inputs = {name: json_digest(members) for name, members in lists.items()}
    reference = make_artifact("listing", "images", inputs=inputs, settings={"store": store.uri}, work=work)
    message = f"{len(images):,} images, {len(images) - len(todo):,} of them predicted before"
    return Completed(
        message=message, data=Listing(len(images), len(todo), list(chunks), reference, predicted, children)
    )


def _count(images: int, chunk: int) -> int:
    return -(-images // chunk)


def _cut(images: list[Image], chunk: int, children: int) -> dict[str, list[Image]]:
    """Return chunks of at most `chunk` images by their names."""
    if children:
        chunk = min(chunk, max(_SMALLEST, _count(len(images), _CHUNKS_EACH * (children + 1))))
    return {f"{n:03d}": images[n * chunk : (n + 1) * chunk] for n in range(_count(len(images), chunk))}


def _list_files(store: Store, prefix: str, recursive: bool) -> list[Entry]:
    """Return the files in a folder, and of those in it; warns of links without a target and of unreadable folders."""
    entries: list[Entry] = []
    for folder in find_folders(store, prefix) if recursive else [prefix]:
        try:
            entries += store.list(folder)
            broken = find_links_without_target(store, folder)
        except PermissionError as error:
            if folder == prefix:
                raise InclinetError(
                    f"{store.uri}/{folder}: cannot be read ({error.strerror})", setting="images"
                ) from None
            get_run_logger().warning("%s/%s is left out: it cannot be read (%s)", store.uri, folder, error.strerror)
            continue
        for name in broken:
            get_run_logger().warning("%s/%s/%s is left out: %s", store.uri, folder, name, NO_TARGET)
    return entries


def _take(wanted: dict[str, list], images: Iterable[Image]) -> list[int]:
    """Return the places of those images that are wanted (size and tag by key), and remove them from `wanted`."""
    places = []
    for place, (key, size, tag) in enumerate(images):
        if wanted.get(key) == [size, tag]:
            del wanted[key]
            places.append(place)
    return places


@stage_task("gather", "gather")
def gather_task(
    run: str, what: Predict, version: str, statement: str, listing: Reference, parts: list[Reference]
) -> State:
    """Write the predictions of all galaxies and of all images of a listing into `predictions/<run>/` of the store.

    The tables are `predictions.csv`, a row per galaxy, and `images.csv`, a row per image; `summary.md` sums them up,
    and `drift.json` compares the images with the test set of the version. `statement` is that of the version. `parts`
    are the artifacts of the predict stage that hold the predictions; rows of images that are not listed are left out.
    The data are how many galaxies were predicted, in words.

    Raises
    ------
    InclinetError
        When there is no answer for any galaxy; the tables, which say why, are written all the same.
    """
    store, home = artifacts().store, f"predictions/{run}"
    key, images_key = (f"{home}/{name}" for name in (PREDICTIONS_FILE, IMAGES_TABLE_FILE))
    wanted = {image: [size, tag] for image, size, tag in read_images(listing)}
    chosen = choose(store, version)
    calibration = read_record(Calibration, chosen.fetch(CALIBRATION_FILE) / CALIBRATION_FILE)
    images = 0
    with temporary_folder("gather") as folder:
        whole, by_galaxies = folder / "whole.csv", folder / "galaxies.csv"
        for part in sorted(parts, key=lambda part: part.key):
            [path] = artifacts().fetch(part, folder, [PREDICTIONS_FILE])
            rows = pd.read_csv(path, dtype=str, keep_default_na=False).iloc[_take(wanted, read_images(part))]
            rows.to_csv(whole, mode="a", index=False, header=not images)
            images += len(rows)
        table = _read_images(whole)
        report_drift(run, chosen, table)
        galaxies = by_galaxy(table, calibration)
        galaxies.to_csv(by_galaxies, index=False)
        store.put(whole, images_key)
        store.put(by_galaxies, key)
    where, _ = locate(what.images, store)
    store.write(f"{home}/{SUMMARY_FILE}", batch_summary(home, galaxies, images, statement, where).encode())
    message = f"{batch_headline(galaxies)}, from {images:,} images; {store.uri}/{key}, by {statement}"
    if galaxies["inclination"].isna().all():
        reason, times = Counter(galaxies["problem"]).most_common(1)[0]
        raise InclinetError(
            f"nothing was predicted: {reason} ({times:,} of {len(galaxies):,} galaxies; all reasons are in "
            f"{store.uri}/{key})",
            setting="images",
        )
    get_run_logger().info("%s", message)
    return Completed(message=message, data=batch_headline(galaxies))


def _read_images(path: Path) -> pd.DataFrame:
    """Read a table of images as predicting returns it: an empty cell is an empty text, or no number."""
    texts = ["image", "galaxy", "band", "flag", "problem", "version"]
    kinds = {"pgc": "Int64", **dict.fromkeys(texts, "str")}
    table = pd.read_csv(path, dtype=kinds, keep_default_na=False, na_values=[""])
    return table.assign(**{name: table[name].fillna("") for name in texts})
