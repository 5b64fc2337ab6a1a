"""What the project wanted of the server the last time: digests of values, kept in a variable on the server."""

from collections.abc import Mapping
from typing import cast

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import VariableCreate, VariableUpdate

__all__ = ["Record", "read_record", "update_record"]

Record = Mapping[str, Mapping[str, str]]
"""By the name of a deployment or an automation, what `deployments.merging.digests_of` gave."""

_VARIABLE = "inclinet_deployed"


def read_record(client: SyncPrefectClient) -> Record:
    """Return the record, empty if there is none."""
    variable = client.read_variable_by_name(_VARIABLE)
    return cast(Record, variable.value) if variable else {}


def update_record(client: SyncPrefectClient, wanted: Record) -> None:
    """Put into the record what is wanted now; what it says of others stays."""
    variable = client.read_variable_by_name(_VARIABLE)
    before = cast(Record, variable.value) if variable else {}
    now = {**before, **wanted}
    if variable is None:
        client.create_variable(VariableCreate(name=_VARIABLE, value=now, tags=["inclinet"]))
    elif now != before:
        client.update_variable(VariableUpdate(name=_VARIABLE, value=now))
