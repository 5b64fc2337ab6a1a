"""Small records that are kept as JSON: frozen, and read with every field checked."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from inclinet.errors import InclinetError

__all__ = ["Record", "read_record"]


class Record(BaseModel):
    """A record without any field that it does not name."""

    model_config = ConfigDict(extra="forbid", frozen=True)


R = TypeVar("R", bound=Record)


def read_record(kind: type[R], path: Path) -> R | None:
    """Return the record in a file, None without the file.

    Raises
    ------
    InclinetError
        When the file holds no such record.
    """
    if not path.is_file():
        return None
    try:
        return kind.model_validate_json(path.read_text())
    except ValidationError:
        raise InclinetError(f"{path}: of another version of Inclinet; publish the networks anew") from None
