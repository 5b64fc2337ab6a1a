"""What docs/operations.md says of backup and restore, on a running service."""

import shutil
import subprocess

import pytest

from deployments.prefect_server import prefect_client
from deployments.service import BUCKET, down, up
from tests.deployments.tiny import run_tiny, wait_for_state

pytestmark = [pytest.mark.xdist_group("deployments"), pytest.mark.service, pytest.mark.slow]

EXCLUDED = ["--exclude=cache", "--exclude=tmp"]


def test_a_service_is_restored_from_its_backup(running, client, tmp_path):
    run = run_tiny(client)
    wait_for_state(client, run, "Completed")
    content = (running.folder / "store" / BUCKET / "tiny.txt").read_bytes()
    down(running.folder)
    try:
        archive = tmp_path / "inclinet.tar.gz"
        command = ["tar", "-czf", archive, *EXCLUDED, running.folder.name]
        subprocess.run(command, cwd=running.folder.parent, check=True)
        shutil.rmtree(running.folder)
        subprocess.run(["tar", "-xzf", archive], cwd=running.folder.parent, check=True)
    finally:
        again = up(running.folder, running.project)
    assert again == running
    assert (running.folder / "store" / BUCKET / "tiny.txt").read_bytes() == content
    with prefect_client(again) as restored:
        assert restored.read_flow_run(run).state.name == "Completed"
        wait_for_state(restored, run_tiny(restored), "Completed", 120)
