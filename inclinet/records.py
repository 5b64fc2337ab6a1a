"""Small records that are stored as JSON: immutable, and with every field checked when they are read."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from inclinet.errors import InclinetError

__all__ = ["Record", "read_record"]


class Record(BaseModel):
    """An immutable record that refuses unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


R = TypeVar("R", bound=Record)


def read_record(kind: type[R], path: Path) -> R | None:
    """Return the record in a JSON file, None if there is no such file.

    Raises
    ------
    InclinetError
        When the file does not hold such a record.
    """
    if not path.is_file():
        return None
    try:
        return kind.model_validate_json(path.read_bytes())
    except ValidationError:
        raise InclinetError(
            f"{path}: damaged, or written by another version of Inclinet; evaluate or publish the networks again"
        ) from None
