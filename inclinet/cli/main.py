"""The program `inclinet`: all commands, and how errors are shown."""

import sys

from inclinet.cli import stages, versions  # noqa: F401 - their commands, in this order
from inclinet.cli.app import app, console
from inclinet.errors import InclinetError

__all__ = ["main"]


def main() -> None:
    """Run the command line; errors the user can put right are one line, exit code 1."""
    try:
        app()
    except KeyboardInterrupt:
        console.print("interrupted")
        sys.exit(130)
    except Exception as error:
        text = _explain(error)
        if text is None:
            raise
        console.print(f"error: {text}", style="bold red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(1)


def _explain(error: Exception) -> str | None:
    """Return what to say of an error that the user can put right, None of any other."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    # boto3's errors, without the half second that it takes to import.
    if isinstance(error, InclinetError | OSError) or type(error).__module__.startswith("botocore"):
        return str(error)
    return None
