"""What all tasks share: the artifact store, retries, and making an artifact only once."""

import os
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from boto3.exceptions import S3TransferFailedError, S3UploadFailedError
from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError
from botocore.exceptions import ConnectionError as BotoConnectionError
from prefect import Task, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.runtime import flow_run
from prefect.states import Completed
from prefect.tasks import exponential_backoff
from s3transfer.exceptions import RetriesExceededError

from inclinet.data.filenames import sample_file
from inclinet.data.samples import Samples, read_samples
from inclinet.errors import InclinetError
from inclinet.storage.addresses import open_store, split_address
from inclinet.storage.artifacts import Artifacts, Reference
from inclinet.storage.cache import cache_folder, cache_limit
from inclinet.storage.code_digest import check_code, code_digest
from inclinet.storage.store import Store

__all__ = [
    "DAMAGED",
    "artifacts",
    "fetch_samples",
    "finished",
    "inputs_of",
    "is_transient",
    "locate",
    "make",
    "make_artifact",
    "sample_inputs",
    "stage_task",
]

DAMAGED = "Damaged"
"""Name of the state of a child run that was given damaged artifacts; its parent run remakes them."""

_TRANSIENT_CODES = {"SlowDown", "RequestTimeout", "Throttling", "ThrottlingException", "InternalError"}
_TRANSIENT_ERRORS = (
    BotoConnectionError,
    HTTPClientError,
    IncompleteReadError,
    RetriesExceededError,
    httpx.TransportError,
    ConnectionError,
    TimeoutError,
)


def artifacts() -> Artifacts:
    """Return the artifacts in the store that the worker's environment names.

    `INCLINET_STORE` is `s3://bucket/prefix` or a folder, `INCLINET_CACHE` the local folder of fetched files and
    `INCLINET_CACHE_GB` the size it is kept below. Endpoint and credentials are boto3's (`AWS_…`).

    Raises
    ------
    InclinetError
        When `INCLINET_STORE` is not set.
    """
    uri = os.environ.get("INCLINET_STORE")
    if not uri:
        raise InclinetError("INCLINET_STORE is not set; start the worker with it, e.g. s3://inclinet")
    return Artifacts(_open(uri), cache_folder(), cache_limit())


@cache
def _open(uri: str) -> Store:
    """Open a store once per process: creating an S3 client takes half a second."""
    return open_store(uri)


def locate(source: str, store: Store) -> tuple[Store, str]:
    """Return the store and key of an input: s3://bucket/key, an absolute path, or a key of `store`.

    The key of a whole bucket is empty.
    """
    if "://" not in source and not source.startswith("/"):
        return store, source.rstrip("/")
    return _split(source)


@cache
def _split(address: str) -> tuple[Store, str]:
    return split_address(address)


def is_transient(error: BaseException) -> bool:
    """Return whether a retry may help: after network, throttling and server errors, but never after bad input."""
    if isinstance(error, S3TransferFailedError | S3UploadFailedError) and error.__context__ is not None:
        return is_transient(error.__context__)
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or status == 429 or error.response["Error"]["Code"] in _TRANSIENT_CODES
    return isinstance(error, _TRANSIENT_ERRORS)


def _worth_retrying(task: Task, run: TaskRun, state: State) -> bool:
    try:
        state.result()
    except BaseException as error:
        return is_transient(error)
    return False


def stage_task(stage: str, run_name: str, *, tagged: bool = True) -> Callable[[Callable], Task]:
    """Return the decorator of a stage's task: named, tagged, and retried on transient errors with jittered delays.

    Prefect's own cache is off. The artifact store does the caching: its keys cover the inputs' content, the settings
    and the code, and its manifests tell whether an artifact is complete.

    Before a tagged task starts, Prefect asks the server about the concurrency limits of its tags. Tasks that come in
    hundreds can do without (`tagged` False).
    """
    return task(
        name=stage,
        task_run_name=run_name,
        tags=[stage] if tagged else None,
        retries=4,
        retry_delay_seconds=exponential_backoff(backoff_factor=2),
        retry_jitter_factor=0.5,
        retry_condition_fn=_worth_retrying,
        cache_policy=NO_CACHE,
        persist_result=False,
    )


def finished(reference: Reference) -> State:
    """Return the final state of a task: `Completed`, or `Cached` when the artifact existed already."""
    numbers = ", ".join(f"{name} {value}" for name, value in reference.facts.items() if isinstance(value, int))
    message = f"{reference.key} ({numbers})" if numbers else reference.key
    return Completed(name="Completed" if reference.is_new else "Cached", message=message, data=reference)


def make_artifact(
    stage: str,
    name: str,
    *,
    inputs: Mapping[str, str],
    settings: object,
    work: Callable[[Path], Mapping[str, Any]],
    code: str | None = None,
) -> Reference:
    """Make an artifact unless it exists; see `inclinet.storage.artifacts.Artifacts.make`.

    Unless `code` is given, the key covers the code of the module that defines `work` and everything it imports.

    Raises
    ------
    InclinetError
        When that code was replaced while this process ran, so that it cannot be told which code made the artifact.
    """
    run, code = str(flow_run.root_flow_run_id or ""), code or code_digest(work)

    def work_and_check(folder: Path) -> Mapping[str, Any]:
        facts = work(folder)
        check_code(work)
        return facts

    reference = artifacts().make(stage, name, inputs=inputs, settings=settings, code=code, work=work_and_check, run=run)
    get_run_logger().info("%s %s", "made" if reference.is_new else "reused", reference.key)
    return reference


def make(stage: str, name: str, **how: Any) -> State:
    """Make an artifact as `make_artifact` does; return the final state of the task, with the reference as its data."""
    return finished(make_artifact(stage, name, **how))


def fetch_samples(
    samples: Mapping[str, Reference], size: int, side: tuple[str, int], folder: Path
) -> dict[str, Samples]:
    """Fetch the sample files of one (side, subsample) of split artifacts into `folder`; return them by stored band."""
    paths = {
        band: artifacts().fetch(reference, folder, [sample_file(band, size, *side)])[0]
        for band, reference in samples.items()
    }
    return read_samples(paths, size)


def sample_inputs(samples: Mapping[str, Reference], size: int, *sides: tuple[str, int]) -> dict[str, str]:
    """Return the digests of the sample files of each (side, subsample) of split artifacts.

    The inputs are the files, not the whole artifacts: adding a subsample does not change the files of the others.
    """
    names = [(band, sample_file(band, size, *side)) for side in sides for band in samples]
    return {name: samples[band].files[name] for band, name in names}


def inputs_of(references: Mapping[str, Reference]) -> dict[str, str]:
    """Return the content digest of each reference."""
    return {name: reference.digest for name, reference in references.items()}
