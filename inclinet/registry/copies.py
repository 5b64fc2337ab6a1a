"""Local copies of published versions, below the cache folder."""

import os
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from inclinet.errors import InclinetError
from inclinet.registry.versions import REGISTRY, VERSION_FILE, PublishedVersion, VersionFile, version_key
from inclinet.storage.atomic import disk_space_errors
from inclinet.storage.cache import cache_folder, cache_limit, make_room
from inclinet.storage.digests import sha256
from inclinet.storage.store import Store

__all__ = ["fetch_version"]

_PARALLEL = 8


def fetch_version(
    store: Store, version: PublishedVersion, cache: Path | None = None, names: Collection[str] | None = None
) -> Path:
    """Return a local folder with the files of a version (all, or those of `names` that it has), checked by SHA-256.

    Files that were fetched before are reused. Before others are fetched, the files of the cache that were not used for
    the longest time are removed, so that it stays below `INCLINET_CACHE_GB`.

    Parameters
    ----------
    cache : Path, optional
        Cache folder; by default `INCLINET_CACHE`, else a folder among the temporary files.

    Raises
    ------
    InclinetError
        When a file is missing or damaged in the store.
    """
    cache = cache or cache_folder()
    folder = cache / REGISTRY / version.version
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    wanted = {name: file for name, file in version.files.items() if names is None or name in names}
    with ThreadPoolExecutor(_PARALLEL) as pool:
        reusable = dict(
            zip(wanted, pool.map(lambda item: _reuse(folder / item[0], item[1]), wanted.items()), strict=True)
        )
        make_room(cache, sum(file.size for name, file in wanted.items() if not reusable[name]), cache_limit())
        # Files of this version itself make room when it is larger than the limit: they are fetched again.
        missing = {name: file for name, file in wanted.items() if not (folder / name).is_file()}
        list(pool.map(lambda item: _fetch(store, version, folder, *item), missing.items()))
    return folder


def _reuse(path: Path, file: VersionFile) -> bool:
    """Return whether a local copy can be reused, and mark it as used; a damaged one is removed."""
    if not path.is_file():
        return False
    if sha256(path) != file.sha256:
        path.unlink(missing_ok=True)
        return False
    os.utime(path)
    return True


def _fetch(store: Store, version: PublishedVersion, folder: Path, name: str, file: VersionFile) -> None:
    key, path = version_key(version.version, name), folder / name
    try:
        with disk_space_errors(folder):
            store.get(key, path)
    except FileNotFoundError:
        raise InclinetError(f"{store.uri}/{key} is missing: version {version.version} is damaged") from None
    if sha256(path) != file.sha256:
        path.unlink()
        raise InclinetError(f"{store.uri}/{key}: its SHA-256 is not that of {VERSION_FILE}; use another version")
