"""SHA-256 of files and of values."""

import hashlib
import json
from pathlib import Path

__all__ = ["json_digest", "sha256"]


def json_digest(value: object) -> str:
    """Return the SHA-256 of a value's JSON, keys sorted, as 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
