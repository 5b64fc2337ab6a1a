"""Object stores: buckets with an S3 interface and local folders, behind one small interface."""

import errno
import mimetypes
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from inclinet.errors import InclinetError
from inclinet.storage.atomic import atomic_file
from inclinet.storage.s3 import link_client, s3_client, upload_options

__all__ = ["LINK_DAYS", "Entry", "FolderStore", "S3Store", "Store", "check_key"]

LINK_DAYS = 7
"""Days for which the links to files of a bucket open: as long as S3 allows."""

_WHOLE = re.compile("[0-9a-f]{32}")
_TEMPORARY = (".part-", ".old-")  # names of files and folders that are being written, see `atomic`


@dataclass(frozen=True)
class Entry:
    """One object of a listing: its key, its size in bytes and a tag that changes when it is rewritten.

    `modified` is when that was (s since 1970). `fingerprint` tells contents apart, and is S3's ETag, an MD5 unless the
    store encrypts; empty if there is none.
    """

    key: str
    size: int
    tag: str
    modified: float = 0.0
    fingerprint: str = ""


class Store(Protocol):
    """What every store can do.

    Keys are relative, with `/` between folders, and never lead out of the store's prefix. A folder is a prefix of keys;
    an empty one is the root of the store.
    """

    uri: str

    def list(self, folder: str) -> Iterator[Entry]:
        """Yield the objects directly in a folder, in no particular order."""

    def walk(self, folder: str) -> Iterator[Entry]:
        """Yield the objects in a folder and in all folders below it, in no particular order."""

    def folders(self, folder: str) -> Iterator[str]:
        """Yield the names of the folders directly in a folder, in no particular order."""

    def get(self, key: str, path: Path) -> None:
        """Copy an object to a local file atomically; `FileNotFoundError` when it is missing."""

    def put(self, path: Path, key: str) -> None:
        """Copy a local file to an object."""

    def read(self, key: str) -> bytes:
        """Return the content of a small object; `FileNotFoundError` when it is missing."""

    def read_with_fingerprint(self, key: str) -> tuple[bytes, str]:
        """Return the content and the fingerprint, as in `Entry`; `FileNotFoundError` when it is missing."""

    def write(self, key: str, content: bytes) -> None:
        """Write a small object."""

    def delete(self, key: str) -> None:
        """Remove an object if it exists."""

    def link(self, key: str) -> str | None:
        """Return an address at which browsers can read an object for `LINK_DAYS`, None if there is none."""


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
                    yield Entry(f"{prefix}{entry.name}", stat.st_size, str(stat.st_mtime_ns), stat.st_mtime)

    def walk(self, folder: str) -> Iterator[Entry]:
        """Yield the files in a folder and in all folders below it; not again those that a link leads back to."""
        yield from self._walk(folder, frozenset())

    def _walk(self, folder: str, above: frozenset[str]) -> Iterator[Entry]:
        """Yield the files of `walk`, except in folders that this one is in: `above` holds them, links followed."""
        prefix = _folder_prefix(folder)
        here = os.path.realpath(self.folder / prefix)
        if here in above:
            return
        yield from self.list(folder)
        for name in list(self.folders(folder)):
            yield from self._walk(f"{prefix}{name}", above | {here})

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

    def read_with_fingerprint(self, key: str) -> tuple[bytes, str]:
        """Return an object's content; a folder tells no fingerprint."""
        return self.read(key), ""

    def write(self, key: str, content: bytes) -> None:
        """Write an object."""
        with atomic_file(self._path(key)) as part:
            part.write_bytes(content)

    def delete(self, key: str) -> None:
        """Remove an object, and the folders that it leaves empty."""
        path = self._path(key)
        path.unlink(missing_ok=True)
        with suppress(OSError):  # not empty
            for parent in path.parents[: len(PurePosixPath(key).parts) - 1]:
                parent.rmdir()

    def link(self, key: str) -> None:
        """Return None: pages from elsewhere can't link to local files."""


class S3Store:
    """A store in a bucket, below a prefix; see `inclinet.storage.s3` for its endpoint, credentials and encryption."""

    def __init__(self, bucket: str, prefix: str) -> None:
        from boto3.s3.transfer import TransferConfig

        self.bucket = bucket
        self.prefix = f"{prefix}/" if prefix else ""
        self.uri = f"s3://{bucket}/{prefix}".rstrip("/")
        # A snapshot goes in one request: this takes both ends a third less work than boto3's parts of 8 MiB.
        self._transfer = TransferConfig(multipart_threshold=64 * 2**20, multipart_chunksize=16 * 2**20)
        self._client = s3_client(bucket)
        self._upload = upload_options()

    def _object(self, key: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": self.prefix + check_key(key)}

    def _pages(self, folder: str, delimiter: str = "/") -> Iterator[dict[str, Any]]:
        prefix = self.prefix + _folder_prefix(folder)
        listing = self._client.get_paginator("list_objects_v2")
        with _plain_errors(self.uri):
            yield from listing.paginate(Bucket=self.bucket, Prefix=prefix, Delimiter=delimiter)

    def _entries(self, pages: Iterable[dict[str, Any]]) -> Iterator[Entry]:
        for page in pages:
            for item in page.get("Contents", ()):
                if not item["Key"].endswith("/"):  # else the empty object by which some tools mark a folder
                    modified = item["LastModified"]
                    tag = f"{item['ETag']} {modified.isoformat()}"
                    key, fingerprint = item["Key"].removeprefix(self.prefix), _fingerprint_of(item["ETag"])
                    yield Entry(key, item["Size"], tag, modified.timestamp(), fingerprint)

    def list(self, folder: str) -> Iterator[Entry]:
        """Yield the objects directly in a folder."""
        yield from self._entries(self._pages(folder))

    def walk(self, folder: str) -> Iterator[Entry]:
        """Yield the objects in a folder and in all folders below it."""
        yield from self._entries(self._pages(folder, delimiter=""))

    def folders(self, folder: str) -> Iterator[str]:
        """Yield the names of the folders directly in a folder."""
        for page in self._pages(folder):
            for item in page.get("CommonPrefixes", ()):
                yield item["Prefix"].rstrip("/").rpartition("/")[2]

    def get(self, key: str, path: Path) -> None:
        """Copy an object to a local file; large ones in parallel parts."""
        with atomic_file(path) as part, _plain_errors(f"{self.uri}/{key}"):
            self._client.download_file(Filename=str(part), **self._object(key))

    def put(self, path: Path, key: str) -> None:
        """Copy a local file to an object; large ones in parallel parts."""
        target = self._object(key)
        self._client.upload_file(Filename=str(path), Config=self._transfer, ExtraArgs=self._upload, **target)

    def read(self, key: str) -> bytes:
        """Return an object's content."""
        return self.read_with_fingerprint(key)[0]

    def read_with_fingerprint(self, key: str) -> tuple[bytes, str]:
        """Return an object's content and fingerprint."""
        with _plain_errors(f"{self.uri}/{key}"):
            answer = self._client.get_object(**self._object(key))
            return answer["Body"].read(), _fingerprint_of(answer["ETag"])

    def write(self, key: str, content: bytes) -> None:
        """Write an object."""
        self._client.put_object(Body=content, **self._upload, **self._object(key))

    def delete(self, key: str) -> None:
        """Remove an object."""
        self._client.delete_object(**self._object(key))

    def link(self, key: str) -> str:
        """Return a presigned address, which `INCLINET_LINKS` can put on another endpoint than the worker's own."""
        kind, _ = mimetypes.guess_type(key)
        shown = {"ResponseContentType": f"{kind}; charset=utf-8" if kind == "text/html" else kind} if kind else {}
        seconds = LINK_DAYS * 24 * 3600
        wanted = self._object(key) | shown
        return link_client(self.bucket).generate_presigned_url("get_object", Params=wanted, ExpiresIn=seconds)


def _fingerprint_of(etag: str) -> str:
    """Return an ETag that stands for the content, which those of uploads in parts do not."""
    return bare if _WHOLE.fullmatch(bare := etag.strip('"').lower()) else ""


@contextmanager
def _plain_errors(uri: str) -> Iterator[None]:
    """Turn S3's errors for what is missing, or not for us, into Python's own, which name it.

    Raises
    ------
    FileNotFoundError, PermissionError
    InclinetError
        When there is no such bucket.
    """
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "NoSuchBucket":
            raise InclinetError(f"{uri}: there is no such bucket") from None
        if code in ("403", "AccessDenied"):
            raise PermissionError(errno.EACCES, "access denied", uri) from None
        if code in ("404", "NoSuchKey"):
            raise FileNotFoundError(uri) from None
        raise
