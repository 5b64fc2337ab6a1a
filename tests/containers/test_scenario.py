"""The service in containers, as docker/ has it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytest.importorskip("moto.server", reason="needs the extra `dev`")
pytest.importorskip("prefect", reason="needs the extra `service`")

OVERLAY = """
mount -t tmpfs tmpfs /mnt && cd /mnt && mkdir u w m &&
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w m && unshare --net ip link set lo up
"""


@pytest.mark.service
@pytest.mark.slow
def test_the_containers_work_as_written():
    if os.geteuid() != 0:
        pytest.skip("only root can mount layers and run commands as other users")
    if ROOT.is_relative_to("/tmp"):
        pytest.skip("the containers have a /tmp of their own, and the project lies there")
    if not list(Path("/usr/lib/postgresql").glob("*/bin/postgres")):
        pytest.skip("PostgreSQL is not installed")
    if subprocess.run(["unshare", "--mount", "sh", "-ec", OVERLAY], capture_output=True).returncode:
        pytest.skip("mount and network namespaces are not allowed here")
    done = subprocess.run(
        [sys.executable, "-m", "tests.containers.scenario"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=580,
    )
    assert done.returncode == 0, done.stdout[-6000:]
