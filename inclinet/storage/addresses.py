"""Addresses of stores and of what is in them: s3://bucket/prefix, or a local folder."""

import os
import re
from pathlib import Path

from inclinet.errors import InclinetError
from inclinet.storage.bucket import S3Store
from inclinet.storage.store import FolderStore, Store, check_key

__all__ = ["open_named_store", "open_store", "split_address"]

_BUCKET = re.compile(r"[A-Za-z0-9._-]{1,255}|arn:[^/]+")


def open_named_store(uri: str | None = None) -> Store:
    """Return the artifact store at `uri`, by default the one that the environment variable `INCLINET_STORE` names.

    Raises
    ------
    InclinetError
        When neither names a store, or there can be none of that address.
    """
    uri = uri or os.environ.get("INCLINET_STORE")
    if not uri:
        raise InclinetError(
            "no artifact store is named: set the environment variable INCLINET_STORE (`source .service/env.sh` does "
            "so for a service on this machine), or give the address of one: s3://bucket/prefix or a folder",
            setting="store",
        )
    return open_store(uri)


def open_store(uri: str) -> Store:
    """Return the store at `s3://bucket/prefix` or in a local folder.

    Raises
    ------
    InclinetError
        When `uri` is empty, names no bucket, has an unknown scheme, or climbs with `..` in a bucket.
    """
    bucket, path = _parse_address(uri)
    return S3Store(bucket, path) if bucket else FolderStore(Path(path))


def split_address(address: str) -> tuple[Store, str]:
    """Split the address of an object or a folder into a store and a key.

    Parameters
    ----------
    address : str
        `s3://bucket/key`, or a local path.

    Returns
    -------
    store : Store
        The bucket, or the local folder that holds the file or folder.
    key : str
        Without slashes at its ends; empty for a whole bucket, and for the root of the file system.

    Raises
    ------
    InclinetError
        When `address` is empty, names no bucket, has an unknown scheme, or climbs with `..` in a bucket.
    """
    bucket, path = _parse_address(address)
    if bucket:
        return S3Store(bucket, ""), path
    local = Path(path)
    if local.name in ("", ".."):
        local = local.resolve()
    return FolderStore(local.parent), local.name


def _parse_address(address: str) -> tuple[str, str]:
    """Return (bucket, key) of an S3 address, an empty bucket and a local path of any other.

    Not by `urllib.parse`: keys may hold `#` and `?`.
    """
    scheme, separator, rest = address.partition("://")
    scheme = scheme.lower()
    if not separator and address and not scheme.startswith("s3:"):
        return "", address
    if separator and scheme == "file" and rest.startswith("/"):
        return "", rest
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not _BUCKET.fullmatch(bucket):
        raise InclinetError(f"address {address!r}: give s3://bucket/prefix or a local folder")
    key = key.strip("/")
    return bucket, check_key(key) if key else ""
