"""A local object store, and the choice of its port."""

import socket

import pytest

pytest.importorskip("psutil", reason="needs the extra `service`")

import boto3
import psutil

from deployments import object_store
from deployments.object_store import ObjectStore, running_object_store
from deployments.ports import choose_ports, free_port
from inclinet.errors import InclinetError


def client_of(environment):
    return boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )


def test_a_store_takes_another_port_when_its_own_was_taken_meanwhile(tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken, free = other.getsockname()[1], free_port()
        ports = iter([taken, free])
        monkeypatch.setattr(object_store, "free_port", lambda: next(ports))
        before = set(psutil.Process().children())
        with running_object_store(tmp_path / "s3", "tests") as environment:
            assert environment["AWS_ENDPOINT_URL"] == f"http://127.0.0.1:{free}"
            client_of(environment).put_object(Bucket="tests", Key="a.txt", Body=b"spiral")
            assert (tmp_path / "s3" / "tests" / "a.txt").read_bytes() == b"spiral"
    assert set(psutil.Process().children()) <= before


def test_a_store_that_does_not_start_says_why_and_leaves_no_process(tmp_path, monkeypatch):
    program = ObjectStore.program

    def broken(store):
        found = program(store)
        return type(found)(**vars(found) | {"command": ["sh", "-c", "echo no room; exit 1"]})

    monkeypatch.setattr(ObjectStore, "program", broken)
    with pytest.raises(InclinetError, match="no room"), running_object_store(tmp_path / "s3", "tests"):
        pytest.fail("it started")


def test_rclone_is_found_or_asked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(object_store.sys, "executable", str(tmp_path / "python"))
    with pytest.raises(InclinetError, match="install the extra `service`"):
        object_store._find_rclone()
    rclone = tmp_path / "rclone"
    rclone.touch(mode=0o755)
    assert object_store._find_rclone() == str(rclone)


def test_free_ports_can_be_listened_on_and_lie_below_those_of_connections():
    for port in {free_port() for _ in range(20)}:
        assert 20_000 <= port < 32_000
        with socket.create_server(("127.0.0.1", port)):
            assert free_port(range(port, port + 2)) == port + 1


def test_no_free_port_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(InclinetError, match="no free port"):
            free_port(range(port, port + 1))


def test_ports_are_remembered(tmp_path):
    ports = free_port(), free_port()
    assert choose_ports(tmp_path, *ports) == ports
    assert choose_ports(tmp_path, None, None) == ports
    another = free_port()
    assert choose_ports(tmp_path, another, None) == (another, ports[1])
    assert [path.name for path in tmp_path.iterdir()] == ["ports.json"]
