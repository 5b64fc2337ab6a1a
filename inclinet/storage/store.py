"""The artifact store: a bucket with an S3 interface, or a local folder, behind one small class."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol
from urllib.parse import urlsplit

from inclinet.errors import InclinetError
from inclinet.storage.atomic import whole_file

__all__ = [
    "Entry",
    "FolderStore",
    "S3Store",
    "Store",
    "check_key",
    "open_named_store",
    "open_store",
    "split_address",
]


@dataclass(frozen=True)
class Entry:
    """One object of a listing: its key, its size in bytes and a tag that changes when it is rewritten."""

    key: str
    size: int
    tag: str


class Store(Protocol):
    """What a store can do. Keys are relative, split by `/`, and never leave the store's prefix."""

    uri: str

    def list(self, prefix: str) -> Iterator[Entry]:
        """Yield the objects directly below `prefix` (a folder; empty for the store's root), in no particular order."""

    def folders(self, prefix: str) -> Iterator[str]:
        """Yield the names of the folders directly below `prefix`, in no particular order."""

    def get(self, key: str, path: Path) -> None:
        """Copy an object to a local file, whole or not at all; `FileNotFoundError` when it is missing."""

    def put(self, path: Path, key: str) -> None:
        """Copy a local file to an object."""

    def read(self, key: str) -> bytes:
        """Return a small object's content; `FileNotFoundError` when it is missing."""

    def write(self, key: str, content: bytes) -> None:
        """Write a small object."""

    def delete(self, key: str) -> None:
        """Remove an object, if it is there."""


def check_key(key: str) -> str:
    """Return `key` if it stays within the store's prefix.

    Raises
    ------
    InclinetError
        When it is empty, absolute, or climbs with `..`.
    """
    parts = PurePosixPath(key).parts
    if not parts or key.startswith("/") or ".." in parts or "\\" in key or "\0" in key:
        raise InclinetError(f"key {key!r} does not stay within the artifact store; give a relative one")
    return key


class FolderStore:
    """A store in a local folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.uri = str(self.folder)

    def _path(self, key: str) -> Path:
        return self.folder / check_key(key)

    def list(self, prefix: str) -> Iterator[Entry]:
        """Yield the files directly below `prefix`."""
        folder = self._path(prefix) if prefix else self.folder
        for entry in os.scandir(folder) if folder.is_dir() else ():
            if entry.is_file() and not entry.name.startswith(".part-"):
                stat = entry.stat()
                yield Entry(f"{prefix.rstrip('/')}/{entry.name}".lstrip("/"), stat.st_size, str(stat.st_mtime_ns))

    def folders(self, prefix: str) -> Iterator[str]:
        """Yield the names of the folders directly below `prefix`."""
        folder = self._path(prefix)
        yield from (path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else ()

    def get(self, key: str, path: Path) -> None:
        """Copy an object to a local file."""
        with whole_file(path) as part:
            shutil.copyfile(self._path(key), part)

    def put(self, path: Path, key: str) -> None:
        """Copy a local file to an object."""
        with whole_file(self._path(key)) as part:
            shutil.copyfile(path, part)

    def read(self, key: str) -> bytes:
        """Return an object's content."""
        return self._path(key).read_bytes()

    def write(self, key: str, content: bytes) -> None:
        """Write an object."""
        with whole_file(self._path(key)) as part:
            part.write_bytes(content)

    def delete(self, key: str) -> None:
        """Remove an object."""
        self._path(key).unlink(missing_ok=True)


class S3Store:
    """A store in a bucket, below a prefix. Endpoint and credentials come from boto3's usual places.

    `AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_PROFILE` and their kin; never
    from a setting of a run.
    """

    def __init__(self, bucket: str, prefix: str) -> None:
        import boto3
        from boto3.s3.transfer import TransferConfig
        from botocore.config import Config

        self.bucket = bucket
        self.prefix = f"{prefix}/" if prefix else ""
        self.uri = f"s3://{bucket}/{prefix}".rstrip("/")
        # Many S3 servers other than Amazon's do not know the checksums that boto3 sends by default.
        config = Config(
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"mode": "standard", "max_attempts": 4},
            max_pool_connections=32,
            connect_timeout=10,
            read_timeout=60,
        )
        # A snapshot in one request: a third less work for both ends than in parts of boto3's 8 MiB.
        self._transfer = TransferConfig(multipart_threshold=64 * 2**20, multipart_chunksize=16 * 2**20)
        self._client: Any = boto3.session.Session().client("s3", config=config)

    def _where(self, key: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": self.prefix + check_key(key)}

    def _pages(self, prefix: str) -> Iterator[dict[str, Any]]:
        start = self.prefix + (check_key(prefix).rstrip("/") + "/" if prefix else "")
        listing = self._client.get_paginator("list_objects_v2")
        yield from listing.paginate(Bucket=self.bucket, Prefix=start, Delimiter="/")

    def folders(self, prefix: str) -> Iterator[str]:
        """Yield the names of the folders directly below `prefix`."""
        for page in self._pages(prefix):
            for item in page.get("CommonPrefixes", ()):
                yield item["Prefix"].rstrip("/").rpartition("/")[2]

    def list(self, prefix: str) -> Iterator[Entry]:
        """Yield the objects directly below `prefix`."""
        for page in self._pages(prefix):
            for item in page.get("Contents", ()):
                tag = f"{item['ETag']} {item['LastModified'].isoformat()}"
                yield Entry(item["Key"].removeprefix(self.prefix), item["Size"], tag)

    def get(self, key: str, path: Path) -> None:
        """Copy an object to a local file; large ones in parallel parts."""
        with whole_file(path) as part, self._missing_is_named(key):
            self._client.download_file(Filename=str(part), **self._where(key))

    def put(self, path: Path, key: str) -> None:
        """Copy a local file to an object; large ones in parallel parts."""
        self._client.upload_file(Filename=str(path), Config=self._transfer, **self._where(key))

    def read(self, key: str) -> bytes:
        """Return an object's content."""
        with self._missing_is_named(key):
            return self._client.get_object(**self._where(key))["Body"].read()

    def write(self, key: str, content: bytes) -> None:
        """Write an object."""
        self._client.put_object(Body=content, **self._where(key))

    def delete(self, key: str) -> None:
        """Remove an object."""
        self._client.delete_object(**self._where(key))

    def _missing_is_named(self, key: str) -> "_Missing":
        return _Missing(f"{self.uri}/{key}")


class _Missing:
    """Turn S3's several answers for a missing object into `FileNotFoundError`."""

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        """Translate the error."""
        from botocore.exceptions import ClientError

        if isinstance(error, ClientError) and error.response["Error"]["Code"] in ("404", "NoSuchKey"):
            raise FileNotFoundError(self.uri) from None


def open_named_store(uri: str | None = None) -> Store:
    """Return the artifact store at `uri`, unless given that which `INCLINET_STORE` names.

    Raises
    ------
    InclinetError
        When none is named.
    """
    uri = uri or os.environ.get("INCLINET_STORE")
    if not uri:
        raise InclinetError(
            "no artifact store is named: set INCLINET_STORE (`source .service/env.sh` does for a service on this "
            "machine), or give --store with s3://bucket/prefix or a folder"
        )
    return open_store(uri)


def open_store(uri: str) -> Store:
    """Return the store at `s3://bucket/prefix` or in a local folder.

    Raises
    ------
    InclinetError
        When `uri` names no bucket or an unknown scheme.
    """
    if "://" not in uri:
        return FolderStore(Path(uri))
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return FolderStore(Path(parts.path))
    if parts.scheme != "s3" or not parts.netloc:
        raise InclinetError(f"store {uri!r}: give s3://bucket/prefix or a local folder")
    prefix = parts.path.strip("/")
    return S3Store(parts.netloc, check_key(prefix) if prefix else "")


def split_address(address: str) -> tuple[Store, str]:
    """Return the bucket or local folder that holds `s3://bucket/key` or a local path, and the key in it.

    The key of a whole bucket is empty.

    Raises
    ------
    InclinetError
        When the address names no bucket, or has an unknown scheme.
    """
    scheme, separator, rest = address.partition("://")
    if not separator and not address.lower().startswith("s3:"):
        path = Path(address)
        return FolderStore(path.parent), path.name
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise InclinetError(f"{address}: not an address of an image or a folder; write s3://bucket/key")
    key = key.strip("/")
    return S3Store(bucket, ""), check_key(key) if key else ""
