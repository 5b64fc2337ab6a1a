"""Workers of one version: a child run does nothing before it knows that its parent runs the same code."""

from typing import Annotated

from flows.settings import in_form
from inclinet.errors import InclinetError
from inclinet.storage.code_digest import code_digest

__all__ = ["Code", "check_same_code"]

Code = Annotated[str, in_form("Code", "Digest of the parent run's code; if this worker's is another, nothing is done.")]


def check_same_code(expected: str, module: str) -> None:
    """Check that this process runs the code of its parent run, whose digest is given; an empty one is not checked.

    What the two make is found by keys that cover the code, so a parent with other code would look for it in vain.

    Raises
    ------
    InclinetError
        When the code is another.
    """
    if expected and expected != code_digest(module):
        raise InclinetError(
            "the workers run different code, so nothing was done: bring all of them, of the pools cpu and gpu, to the "
            "same version of Inclinet, restart them, and retry the parent run"
        )
