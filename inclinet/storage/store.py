"""Object stores: buckets with an S3 interface and local folders, behind one small interface."""

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from inclinet.errors import InclinetError
from inclinet.storage.atomic import atomic_file

__all__ = ["Entry", "FolderStore", "S3Store", "Store", "check_key", "open_named_store", "open_store", "split_address"]

_BUCKET = re.compile(r"[A-Za-z0-9._-]{1,255}|arn:[^/]+")
_TEMPORARY = (".part-", ".old-")  # names of files and folders that are being written, see `atomic`


@dataclass(frozen=True)
class Entry:
    """One object of a listing: its key, its size in bytes and a tag that changes when it is rewritten."""

    key: str
    size: int
    tag: str


class Store(Protocol):
    """What every store can do.

    Keys are relative, with `/` between folders, and never lead out of the store's prefix. A folder is a prefix of keys;
    an empty one is the root of the store.
    """

    uri: str

    def list(self, folder: str) -> Iterator[Entry]:
        """Yield the objects directly in a folder, in no particular order."""

    def folders(self, folder: str) -> Iterator[str]:
        """Yield the names of the folders directly in a folder, in no particular order."""

    def get(self, key: str, path: Path) -> None:
        """Copy an object to a local file atomically; `FileNotFoundError` when it is missing."""

    def put(self, path: Path, key: str) -> None:
        """Copy a local file to an object."""

    def read(self, key: str) -> bytes:
        """Return the content of a small object; `FileNotFoundError` when it is missing."""

    def write(self, key: str, content: bytes) -> None:
        """Write a small object."""

    def delete(self, key: str) -> None:
        """Remove an object if it exists."""


def check_key(key: str) -> str:
    """Return `key` if it stays within the store's prefix.

    Raises
    ------
    InclinetError
        When it is empty, absolute, or holds `..`, a backslash or a null character.
    """
    parts = PurePosixPath(key).parts
    if not parts or key.startswith("/") or ".." in parts or "\\" in key or "\0" in key:
        raise InclinetError(f"key {key!r} does not stay within the object store; give a relative one without '..'")
    return key


def _folder_prefix(folder: str) -> str:
    """Return what the keys of the objects in a folder start with: its path and a slash, or nothing for the root."""
    return check_key(folder).rstrip("/") + "/" if folder else ""


@contextmanager
def _no_target() -> Iterator[None]:
    """Pass over a file that another process has removed, and over a link that leads to itself."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ELOOP):
            raise


class FolderStore:
    """A store in a local folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.uri = str(self.folder)

    def _path(self, key: str) -> Path:
        return self.folder / check_key(key)

    def _scan(self, prefix: str) -> Iterator[os.DirEntry]:
        folder = self.folder / prefix
        for entry in os.scandir(folder) if folder.is_dir() else ():
            if not entry.name.startswith(_TEMPORARY):
                yield entry

    def list(self, folder: str) -> Iterator[Entry]:
        """Yield the files directly in a folder."""
        prefix = _folder_prefix(folder)
        for entry in self._scan(prefix):
            with _no_target():
                if entry.is_file():
                    stat = entry.stat()
                    yield Entry(f"{prefix}{entry.name}", stat.st_size, str(stat.st_mtime_ns))

    def folders(self, folder: str) -> Iterator[str]:
        """Yield the names of the folders directly in a folder."""
        for entry in self._scan(_folder_prefix(folder)):
            with _no_target():
                if entry.is_dir():
                    yield entry.name

    def get(self, key: str, path: Path) -> None:
        """Copy an object to a local file."""
        with atomic_file(path) as part:
            shutil.copyfile(self._path(key), part)

    def put(self, path: Path, key: str) -> None:
        """Copy a local file to an object."""
        with atomic_file(self._path(key)) as part:
            shutil.copyfile(path, part)

    def read(self, key: str) -> bytes:
        """Return an object's content."""
        return self._path(key).read_bytes()

    def write(self, key: str, content: bytes) -> None:
        """Write an object."""
        with atomic_file(self._path(key)) as part:
            part.write_bytes(content)

    def delete(self, key: str) -> None:
        """Remove an object."""
        self._path(key).unlink(missing_ok=True)


class S3Store:
    """A store in a bucket, below a prefix.

    Endpoint and credentials come from where boto3 looks for them (`AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID`,
    `AWS_SECRET_ACCESS_KEY`, `AWS_PROFILE`, …), never from a setting of a run.
    """

    def __init__(self, bucket: str, prefix: str) -> None:
        import boto3
        from boto3.s3.transfer import TransferConfig
        from botocore.config import Config

        self.bucket = bucket
        self.prefix = f"{prefix}/" if prefix else ""
        self.uri = f"s3://{bucket}/{prefix}".rstrip("/")
        # Many S3 servers other than Amazon's do not support the checksums that boto3 sends by default.
        config = Config(
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"mode": "standard", "max_attempts": 4},
            max_pool_connections=32,
            connect_timeout=10,
            read_timeout=60,
        )
        # A snapshot goes in one request: this takes both ends a third less work than boto3's parts of 8 MiB.
        self._transfer = TransferConfig(multipart_threshold=64 * 2**20, multipart_chunksize=16 * 2**20)
        self._client: Any = boto3.session.Session().client("s3", config=config)

    def _object(self, key: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": self.prefix + check_key(key)}

    def _pages(self, folder: str) -> Iterator[dict[str, Any]]:
        prefix = self.prefix + _folder_prefix(folder)
        listing = self._client.get_paginator("list_objects_v2")
        yield from listing.paginate(Bucket=self.bucket, Prefix=prefix, Delimiter="/")

    def list(self, folder: str) -> Iterator[Entry]:
        """Yield the objects directly in a folder."""
        for page in self._pages(folder):
            for item in page.get("Contents", ()):
                if not item["Key"].endswith("/"):  # else the empty object by which some tools mark a folder
                    tag = f"{item['ETag']} {item['LastModified'].isoformat()}"
                    yield Entry(item["Key"].removeprefix(self.prefix), item["Size"], tag)

    def folders(self, folder: str) -> Iterator[str]:
        """Yield the names of the folders directly in a folder."""
        for page in self._pages(folder):
            for item in page.get("CommonPrefixes", ()):
                yield item["Prefix"].rstrip("/").rpartition("/")[2]

    def get(self, key: str, path: Path) -> None:
        """Copy an object to a local file; large ones in parallel parts."""
        with atomic_file(path) as part, _missing_objects(f"{self.uri}/{key}"):
            self._client.download_file(Filename=str(part), **self._object(key))

    def put(self, path: Path, key: str) -> None:
        """Copy a local file to an object; large ones in parallel parts."""
        self._client.upload_file(Filename=str(path), Config=self._transfer, **self._object(key))

    def read(self, key: str) -> bytes:
        """Return an object's content."""
        with _missing_objects(f"{self.uri}/{key}"):
            return self._client.get_object(**self._object(key))["Body"].read()

    def write(self, key: str, content: bytes) -> None:
        """Write an object."""
        self._client.put_object(Body=content, **self._object(key))

    def delete(self, key: str) -> None:
        """Remove an object."""
        self._client.delete_object(**self._object(key))


@contextmanager
def _missing_objects(uri: str) -> Iterator[None]:
    """Turn S3's various errors for a missing object into a `FileNotFoundError` that names it."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchKey"):
            raise
        raise FileNotFoundError(uri) from None


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
