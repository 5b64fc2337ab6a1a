"""The program `inclinet`: runs the command line and shows errors."""

import sys

from inclinet.cli.app import app, console
from inclinet.errors import InclinetError

__all__ = ["main"]


def main() -> None:
    """Run the command line. An error that the user can put right is one line, and the exit code 1."""
    try:
        app()
    except KeyboardInterrupt:
        console.print("interrupted")
        sys.exit(130)
    except Exception as error:
        text = _describe(error)
        if text is None:
            raise
        console.print(f"error: {text}", style="bold red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(1)


def _describe(error: Exception) -> str | None:
    """Return the text of an error that the user can put right, None for any other."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    # Errors of botocore are told by their module: importing it takes half a second.
    if isinstance(error, InclinetError | OSError) or type(error).__module__.startswith("botocore"):
        return str(error)
    return None
