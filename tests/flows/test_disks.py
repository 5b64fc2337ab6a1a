from collections import namedtuple

import pytest
from prefect.logging import disable_run_logger

from flows import disks
from flows.disks import NEARLY_FULL, report_full_disks

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def events(monkeypatch, tmp_path):
    """The events that are emitted; the disk is as full as the test says."""
    emitted = []
    monkeypatch.setattr(disks, "emit_event", lambda name, resource, payload: emitted.append((name, resource, payload)))
    monkeypatch.setattr(disks, "_reported", set())
    monkeypatch.setenv("INCLINET_CACHE", str(tmp_path / "not" / "there"))
    monkeypatch.setenv("INCLINET_STORE", str(tmp_path))
    with disable_run_logger():
        yield emitted


def test_a_disk_that_is_nearly_full_is_reported_once(events, monkeypatch, tmp_path):
    monkeypatch.setattr(disks.shutil, "disk_usage", lambda folder: Usage(1000e9, 855e9, 45e9))
    report_full_disks()
    report_full_disks()
    assert [name for name, *_ in events] == [NEARLY_FULL] * 3
    assert [resource["prefect.resource.name"] for _, resource, _ in events] == [
        "temporary files",
        "cache",
        "artifact store",
    ]
    why = events[1][2]["why"]
    assert "is 95 % full (45.0 GB free)" in why
    assert why.endswith(str(tmp_path))


def test_a_disk_with_room_is_not(events, monkeypatch):
    monkeypatch.setattr(disks.shutil, "disk_usage", lambda folder: Usage(1000e9, 800e9, 200e9))
    monkeypatch.setenv("INCLINET_STORE", "s3://bucket")
    report_full_disks()
    assert events == []
