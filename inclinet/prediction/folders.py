"""The images in a folder of a store, and what is said of everything else in it."""

import logging
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from inclinet.data.filenames import IMAGE_FORMATS, is_image
from inclinet.errors import InclinetError
from inclinet.prediction.source import Source, in_store, source
from inclinet.storage.store import FolderStore, Store

__all__ = ["NO_TARGET", "find_folders", "find_links_without_target", "list_images"]

logger = logging.getLogger(__name__)

NO_TARGET = "a link to a file that does not exist"
"""The problem of a link that leads nowhere."""

_NAMED = 3  # files that a warning names


def list_images(store: Store, prefix: str, shown: str, *, recursive: bool = False) -> list[Source]:
    """Return the images in a folder of a store, which the user knows as `shown`.

    A link without a target that is called like an image, and a folder that cannot be read, have a source with a
    problem. A warning counts the other files.

    Raises
    ------
    InclinetError
        When there are none.
    """
    found: list[Source] = []
    left_out: list[str] = []
    for folder in find_folders(store, prefix) if recursive else [prefix]:
        inside = folder.removeprefix(prefix).strip("/")
        images, others = _list_folder(store, folder, "/".join(filter(None, [shown.rstrip("/"), inside])))
        found += images
        left_out += others
    if not found:
        where = "this folder or those in it" if recursive else "this folder"
        among = f" among its {len(left_out):,} files" if left_out else ""
        raise InclinetError(f"{shown}: no image in {where}{among}; images are {', '.join(IMAGE_FORMATS)}")
    if left_out:
        named = ", ".join([*sorted(left_out)[:_NAMED], *(["…"] if len(left_out) > _NAMED else [])])
        logger.warning("%s: %d files that are not images are left out (%s)", shown, len(left_out), named)
    return found


def _list_folder(store: Store, folder: str, shown: str) -> tuple[list[Source], list[str]]:
    """Return the images directly in a folder, and the names of the other files."""
    try:
        entries = list(store.list(folder))
        broken = find_links_without_target(store, folder)
    except PermissionError as error:
        return [Source(shown, store, folder, problem=f"a folder that cannot be read ({error.strerror})")], []
    name_of = {entry.key: entry.key.rpartition("/")[2] for entry in entries}
    images = [source(store, one.key, f"{shown}/{name_of[one.key]}", one.size) for one in in_store(entries)]
    images += [replace(source(store, name, f"{shown}/{name}"), problem=NO_TARGET) for name in broken if is_image(name)]
    return images, [name for name in [*name_of.values(), *broken] if not is_image(name)]


def find_links_without_target(store: Store, folder: str) -> list[str]:
    """Return the names of the links in a local folder that lead nowhere, which no store lists."""
    if not isinstance(store, FolderStore):
        return []
    links = [entry for entry in os.scandir(store.folder / folder) if entry.is_symlink()]
    return sorted(entry.name for entry in links if not Path(entry.path).exists())


def find_folders(store: Store, prefix: str) -> Iterator[str]:
    """Yield a folder and all folders in it, at any depth; where links make a circle, each of them once."""
    seen: set[str] = set()
    waiting = [prefix]
    while waiting:
        folder = waiting.pop()
        where = os.path.realpath(store.folder / folder) if isinstance(store, FolderStore) else folder
        if where in seen:
            continue
        seen.add(where)
        yield folder
        try:
            inside = sorted(store.folders(folder), reverse=True)
        except PermissionError:  # has a row already
            continue
        waiting += [f"{folder}/{name}".lstrip("/") for name in inside]
