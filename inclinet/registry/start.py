"""Finds the networks to start a training from: those of a published version, or that in a file."""

from collections.abc import Iterable
from pathlib import Path

from inclinet.errors import InclinetError
from inclinet.networks.filenames import network_file, parse_network
from inclinet.records import read_record
from inclinet.registry.copies import fetch_version
from inclinet.registry.galaxies import GALAXIES_FILE, read_galaxies
from inclinet.registry.versions import VERSION_FILE, PublishedVersion, find_version, is_version
from inclinet.storage.addresses import open_named_store
from inclinet.storage.digests import sha256
from inclinet.storage.store import Store
from inclinet.training.start import Start, check_kind

__all__ = ["find_starts", "start_from_file", "start_from_version"]


def find_starts(start: str, models: Iterable[str], size: int, store: str | None = None) -> dict[str, Start]:
    """Return what each of `models` starts from; nothing if `start` is empty.

    Parameters
    ----------
    start : str
        A published version, or the local file (`.keras`) of a network, as the setting `start` of a training.
    models : iterable of str
        Architectures to train.
    size : int
        Side of the images (pixels).
    store : str, optional
        Address of the version's store. Default: the one that `INCLINET_STORE` names.

    Raises
    ------
    InclinetError
        When there is no such version or file, or it holds no network of the same architecture and size.
    """
    if not start:
        return {}
    if is_version(start):
        return start_from_version(open_named_store(store), start, models, size)
    return {model: start_from_file(Path(start), model, size) for model in models}


def start_from_version(store: Store, version: str, models: Iterable[str], size: int) -> dict[str, Start]:
    """Return the network of a published version that each of `models` starts from: the one with the lowest subsample.

    Raises
    ------
    InclinetError
        When there is no such version, or it has no network of the same architecture and size.
    """
    published = find_version(store, version)
    if published.info.size != size:
        raise InclinetError(
            f"version {version} takes images of {published.info.size} pixels a side, not {size}: set that size, or "
            "start from another version",
            setting="start",
        )
    files = {model: _network_of(published, model) for model in models}
    folder = fetch_version(store, published, names=[*files.values(), GALAXIES_FILE])
    known = read_galaxies(folder / GALAXIES_FILE) if GALAXIES_FILE in published.files else None
    for model, file in files.items():
        check_kind(folder / file, model, size)
    return {model: Start.of_file(folder / file, version, known) for model, file in files.items()}


def _network_of(published: PublishedVersion, model: str) -> str:
    # Exported networks cannot be trained further: only those that Keras reads count.
    found = {file: parsed for file in published.files if (parsed := parse_network(file))}
    subsamples = [k for file, (name, k) in found.items() if name == model and file == network_file(k, model)]
    if not subsamples:
        names = sorted({name for name, _ in found.values()})
        raise InclinetError(
            f"version {published.version} has no network of {model} that can be trained further; its networks are of "
            f"{', '.join(names)}",
            setting="start",
        )
    return network_file(min(subsamples), model)


def start_from_file(file: Path, model: str, size: int) -> Start:
    """Return the network in a file as a start.

    What it was trained on is known if the file lies, unchanged, in the folder of a published version.

    Raises
    ------
    InclinetError
        When there is no such file, or it holds no network of that architecture and size.
    """
    check_kind(file, model, size)
    published = read_record(PublishedVersion, file.with_name(VERSION_FILE))
    listed = published and published.files.get(file.name)
    if published and listed and listed.sha256 == sha256(file):
        return Start.of_file(file, published.version, read_galaxies(file.with_name(GALAXIES_FILE)))
    return Start.of_file(file)
