"""A store in a bucket with an S3 interface."""

import errno
import mimetypes
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inclinet.errors import InclinetError
from inclinet.storage.atomic import atomic_file
from inclinet.storage.s3 import link_client, s3_client, upload_options
from inclinet.storage.store import LINK_DAYS, Entry, check_key, folder_prefix

__all__ = ["S3Store"]

_WHOLE = re.compile("[0-9a-f]{32}")


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
        prefix = self.prefix + folder_prefix(folder)
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
