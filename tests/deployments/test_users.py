"""Two users of one machine, each with a service of its own."""

import json
import subprocess
import sys

import pytest

pytest.importorskip("psutil", reason="needs the extra `service`")
pytest.importorskip("prefect", reason="needs the extra `service`")

from tests.conftest import free_port
from tests.deployments.tiny import write_project
from tests.users import USERS, environment_of, ordinary_user

pytestmark = [pytest.mark.service, pytest.mark.slow, pytest.mark.xdist_group("deployments")]


@pytest.fixture
def run(homes):
    """A function that runs a module as a user, and returns the finished process; it stops their services in the end."""

    def start(user, *arguments, **more):
        command = ordinary_user(user, sys.executable, "-m", *arguments)
        environment = environment_of(homes[user]) | more
        return subprocess.run(command, env=environment, cwd=homes[user], capture_output=True, text=True, timeout=300)

    yield start
    for user in USERS:
        start(user, "deployments.service", "down", "--folder", homes[user] / "state")


def test_each_has_a_service_that_the_other_cannot_use(run, homes):
    for user in USERS:
        project = write_project(homes[user] / "project")
        ports = [f"--prefect-port={free_port()}", f"--store-port={free_port()}"]
        done = run(user, "deployments.service", "up", f"--folder={homes[user]}/state", f"--project={project}", *ports)
        assert done.returncode == 0, done.stdout + done.stderr
    first, second = USERS
    port = json.loads((homes[first] / "state" / "ports.json").read_text())["PREFECT_PORT"]
    address = {"PREFECT_API_URL": f"http://127.0.0.1:{port}/api", "NO_PROXY": "127.0.0.1"}
    refused = run(second, "prefect", "deployment", "run", "tiny/tiny", **address)
    assert refused.returncode != 0
    assert "401" in refused.stdout + refused.stderr
    for user in USERS:
        script = 'set -a; . "$1/state/env.sh"; exec "$2" -m prefect deployment run tiny/tiny --watch'
        command = ordinary_user(user, "sh", "-c", script, "sh", homes[user], sys.executable)
        done = subprocess.run(
            command, env=environment_of(homes[user]), cwd=homes[user], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert (homes[user] / "state" / "store" / "inclinet" / "tiny.txt").exists()
