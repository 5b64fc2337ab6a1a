"""What the project wanted of the server the last time: digests of values, kept in variables on the server.

A variable of Prefect holds 5,000 characters. What does not fit into the first one is in a second one, and so on.
"""

import json
from collections.abc import Iterator, Mapping
from typing import cast

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import VariableCreate, VariableUpdate
from prefect.types import MAX_VARIABLE_VALUE_LENGTH

__all__ = ["Record", "read_record", "update_record"]

Record = Mapping[str, Mapping[str, str]]
"""By the name of a deployment or an automation, what `deployments.merging.digests_of` gave."""

_VARIABLE = "inclinet_deployed"


def read_record(client: SyncPrefectClient) -> Record:
    """Return the record, empty if there is none."""
    return _whole(_read_parts(client))


def update_record(client: SyncPrefectClient, wanted: Record) -> None:
    """Put into the record what is wanted now; what it says of others stays."""
    before = _read_parts(client)
    now = list(_split({**_whole(before), **wanted}))
    # The last one first, so that what moves on to it is never missing.
    for number in reversed(range(len(now))):
        name, part = _name(number), now[number]
        if number >= len(before):
            client.create_variable(VariableCreate(name=name, value=part, tags=["inclinet"]))
        elif part != before[number]:
            client.update_variable(VariableUpdate(name=name, value=part))
    for number in range(len(now), len(before)):
        client.delete_variable_by_name(_name(number))


def _name(number: int) -> str:
    return f"{_VARIABLE}_{number + 1}" if number else _VARIABLE


def _read_parts(client: SyncPrefectClient) -> list[Record]:
    """Return what each of the variables holds."""
    parts: list[Record] = []
    while variable := client.read_variable_by_name(_name(len(parts))):
        parts.append(cast(Record, variable.value))
    return parts


def _whole(parts: list[Record]) -> Record:
    return {name: digests for part in parts for name, digests in part.items()}


def _split(record: Record) -> Iterator[dict[str, Mapping[str, str]]]:
    """Yield parts of a record that each fit into a variable."""
    part: dict[str, Mapping[str, str]] = {}
    for name, digests in record.items():
        if part and len(json.dumps({**part, name: digests})) > MAX_VARIABLE_VALUE_LENGTH:
            yield part
            part = {}
        part[name] = digests
    yield part
