"""How the commands of this package talk to the terminal: ports as options, errors as one message."""

import sys
from typing import Annotated

import typer
from rich.console import Console

from inclinet.errors import InclinetError

__all__ = ["PrefectPort", "StorePort", "run_commands"]

PrefectPort = Annotated[
    int | None,
    typer.Option(
        min=1, max=65535, help="Port of the Prefect server; by default that of the last start, at first 4200."
    ),
]
StorePort = Annotated[
    int | None,
    typer.Option(min=1, max=65535, help="Port of the object store; by default that of the last start, at first 9000."),
]

_MAKE_VARIABLES = (
    "images",
    "catalog",
    "imroot",
    "bands",
    "prefect_port",
    "store_port",
    "version",
    "store",
    "notes",
    "run",
    "workers",
    "pool",
    "env_file",
)


def run_commands(app: typer.Typer) -> None:
    """Run a command line; an error that the user can fix is shown without a traceback, with exit code 1."""
    try:
        code = app(standalone_mode=False)
    except Exception as error:
        text = _explain(error)
        if text is None:
            raise
        if text:
            console = Console(stderr=True, highlight=False, soft_wrap=True)
            console.print(f"error: {text}", style="red", markup=False)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _explain(error: Exception) -> str | None:
    """Return what to tell the user about an error, None if it is a defect."""
    if isinstance(error, InclinetError):
        return f"{error}{_hint(error.setting)}"
    if isinstance(error, typer.TyperException):  # empty after the help of a command without arguments
        return error.format_message()
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    # By name: importing boto3 and httpx takes half a second.
    if type(error).__module__.partition(".")[0] in ("botocore", "httpx"):
        return f"the service does not answer ({error}); start it again with `make up`"
    return None


def _hint(setting: str | None) -> str:
    """Return how to change a setting, for `make` and for the command itself."""
    if setting is None:
        return ""
    option = f"--{setting.replace('_', '-')}"
    return f" (make … {setting.upper()}=, or {option})" if setting in _MAKE_VARIABLES else f" ({option})"
