"""How a bucket is reached and written to, which the environment of the process says.

| variable | meaning |
|:--|:--|
| `AWS_…` | boto3's own: endpoint, region, credentials, CA bundle |
| `INCLINET_PROFILES` | other accounts and endpoints for some buckets: `bucket=profile`, with profiles of `~/.aws` |
| `INCLINET_LINKS` | endpoint of the links that browsers open; the same unless set |
| `INCLINET_S3_SSE` | server-side encryption of what is written: `AES256`, `aws:kms` or `aws:kms:dsse` |
| `INCLINET_S3_KMS_KEY` | its key; the account's own unless set |
| `INCLINET_S3_CHECKSUM` | checksum sent with what is written: `SHA256`, `SHA1`, `CRC32`, `CRC32C` or `CRC64NVME` |
"""

import os
from functools import lru_cache
from typing import Any

from inclinet.errors import InclinetError

__all__ = ["link_client", "s3_client", "upload_options"]

_SSE = ("AES256", "aws:kms", "aws:kms:dsse")
_CHECKSUMS = ("SHA256", "SHA1", "CRC32", "CRC32C", "CRC64NVME")
_WHEN = "when_required"  # many S3 servers other than Amazon's do not support the checksums that boto3 sends by default


def s3_client(bucket: str) -> Any:
    """Return a boto3 client for a bucket.

    Endpoint and credentials come from where boto3 looks for them, never from a setting of a run. A bucket that
    `INCLINET_PROFILES` names has those of its profile instead, whatever the variables `AWS_…` say.

    Raises
    ------
    InclinetError
        `INCLINET_PROFILES` is malformed, or names a profile that does not exist.
    """
    return _open_client(_profile_of(bucket), _environment())


def link_client(bucket: str) -> Any:
    """Return a boto3 client that signs addresses for browsers: as `s3_client`, but at the endpoint `INCLINET_LINKS`.

    Raises
    ------
    InclinetError
        As for `s3_client`.
    """
    return _open_client(_profile_of(bucket), _environment(), os.environ.get("INCLINET_LINKS") or None, "s3v4")


def _environment() -> frozenset[tuple[str, str]]:
    return frozenset(item for item in os.environ.items() if item[0].startswith("AWS_"))


@lru_cache(maxsize=8)
def _open_client(
    profile: str | None,
    environment: frozenset[tuple[str, str]],
    endpoint: str | None = None,
    signature: str | None = None,
) -> Any:
    """Return the client for a profile and an environment: opening one takes a tenth of a second."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import ProfileNotFound

    options: dict[str, Any] = {
        "request_checksum_calculation": os.environ.get("AWS_REQUEST_CHECKSUM_CALCULATION", _WHEN),
        "response_checksum_validation": os.environ.get("AWS_RESPONSE_CHECKSUM_VALIDATION", _WHEN),
        "retries": {"mode": "standard", "max_attempts": 4},
        "max_pool_connections": 32,
        "connect_timeout": 10,
        "read_timeout": 60,
        "signature_version": signature,
    }
    if profile is None:
        return boto3.session.Session().client("s3", endpoint_url=endpoint, config=Config(**options))
    try:
        session = boto3.session.Session(profile_name=profile)
    except ProfileNotFound as error:
        raise InclinetError(f"INCLINET_PROFILES: {error}") from None
    # boto3 would prefer the environment's endpoint, region and CA bundle, which are those of another account.
    own = session._session.get_scoped_config()
    config = Config(**options, ignore_configured_endpoint_urls="endpoint_url" not in own)
    return session.client(
        "s3",
        config=config,
        endpoint_url=endpoint or own.get("endpoint_url"),
        region_name=own.get("region"),
        verify=own.get("ca_bundle"),
    )


def _profile_of(bucket: str) -> str | None:
    """Return the profile that `INCLINET_PROFILES` names for a bucket, None if it names none."""
    text = os.environ.get("INCLINET_PROFILES", "")
    pairs = [entry.partition("=") for entry in text.replace(",", " ").split()]
    if any(not (name and profile) for name, _, profile in pairs):
        raise InclinetError(f"INCLINET_PROFILES is {text!r}: give bucket=profile, separated by blanks")
    return {name: profile for name, _, profile in pairs}.get(bucket)


def upload_options() -> dict[str, str]:
    """Return the encryption and the checksum of what is written, as boto3 names them.

    Raises
    ------
    InclinetError
        A variable has a value that S3 does not know.
    """
    options = {
        "ServerSideEncryption": _choice("INCLINET_S3_SSE", _SSE),
        "SSEKMSKeyId": os.environ.get("INCLINET_S3_KMS_KEY", ""),
        "ChecksumAlgorithm": _choice("INCLINET_S3_CHECKSUM", _CHECKSUMS),
    }
    if options["SSEKMSKeyId"] and not options["ServerSideEncryption"].startswith("aws:kms"):
        raise InclinetError("INCLINET_S3_KMS_KEY is set: set INCLINET_S3_SSE=aws:kms, too")
    return {name: value for name, value in options.items() if value}


def _choice(variable: str, choices: tuple[str, ...]) -> str:
    value = os.environ.get(variable, "")
    if value and value not in choices:
        raise InclinetError(f"{variable} is {value!r}: choose from {', '.join(choices)}")
    return value
