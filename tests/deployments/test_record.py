"""The record of what was applied, on a real server."""

import pytest

pytest.importorskip("prefect", reason="needs the extra `service`")

from prefect import get_client
from prefect.types import MAX_VARIABLE_VALUE_LENGTH

from deployments.record import read_record, update_record
from tests.tasks.conftest import prefect_api  # noqa: F401

pytestmark = [pytest.mark.service, pytest.mark.xdist_group("tasks")]


def record(size, digest="0a1b2c3d"):
    """A record of so many automations, each as large as those of the service."""
    return {f"inclinet: tell of {number}": {f"trigger/{n:016}": digest for n in range(15)} for number in range(size)}


@pytest.fixture
def client(prefect_api):  # noqa: F811
    """A client of a server without a record."""
    with get_client(sync_client=True) as client:
        forget(client)
        yield client
        forget(client)


def variables(client):
    return [one for one in client.read_variables() if one.name.startswith("inclinet_deployed")]


def forget(client):
    for one in variables(client):
        client.delete_variable_by_name(one.name)


def test_a_record_may_be_larger_than_a_variable(client):
    assert read_record(client) == {}
    for size in (1, 5, 30):
        update_record(client, record(size))
        assert read_record(client) == record(size)
    assert len(str(record(30))) > 3 * MAX_VARIABLE_VALUE_LENGTH
    assert {one.name for one in variables(client)} >= {"inclinet_deployed", "inclinet_deployed_2"}


def test_what_it_says_of_others_stays(client):
    update_record(client, record(30))
    update_record(client, record(20, digest="f" * 16))
    assert read_record(client) == {**record(30), **record(20, digest="f" * 16)}


def test_a_variable_that_is_not_needed_any_more_goes(client):
    update_record(client, record(20, digest="f" * 16))
    before = len(variables(client))
    update_record(client, record(20, digest="f"))
    assert len(variables(client)) < before
    assert read_record(client) == record(20, digest="f")
