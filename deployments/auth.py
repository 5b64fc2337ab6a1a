"""The password of the Prefect API: an auth string, `user:password`, in a file that only its owner can read."""

import os
import secrets
from pathlib import Path

from deployments.processes import find, write_private
from inclinet.errors import InclinetError

__all__ = ["AUTH_FILE", "choose_auth_string", "read_auth_string"]

AUTH_FILE = "auth-string"
"""Name of the file in the state folder."""

_VARIABLE = "PREFECT_SERVER_API_AUTH_STRING"


def read_auth_string(folder: Path) -> str:
    """Return the auth string of the service, which the first call makes."""
    path = folder / AUTH_FILE
    if not path.exists():
        write_private(path, f"inclinet:{secrets.token_hex(20)}\n")
    return path.read_text().strip()


def choose_auth_string(folder: Path) -> None:
    """Take the auth string in the environment variable `PREFECT_SERVER_API_AUTH_STRING`, if it is set.

    Raises
    ------
    InclinetError
        It is not of the form `user:password`, or the service runs with another one.
    """
    given = os.environ.get(_VARIABLE, "").strip()
    if not given or given == read_auth_string(folder):
        return
    user, _, password = given.partition(":")
    if not user or not password or not given.isascii() or len(given.split()) > 1:
        raise InclinetError(f"{_VARIABLE}: give user:password, in ASCII and without blanks")
    if find(folder, "prefect-server") is not None:
        raise InclinetError(f"the service runs with another {_VARIABLE}: stop it with `make down` to change it")
    write_private(folder / AUTH_FILE, f"{given}\n")
