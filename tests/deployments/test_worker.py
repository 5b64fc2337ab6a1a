"""Workers on other machines."""

import os
import shutil
import subprocess
import sys

import pytest

pytest.importorskip("prefect", reason="needs the extra `service`")

from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments.worker import app, read_environment, worker_command
from inclinet.errors import InclinetError
from inclinet.networks import devices
from tests.conftest import ROOT, free_port

NAMESPACES = ["unshare", "--user", "--map-root-user", "--mount", "--net"]


def test_the_environment_of_the_service_without_its_folders(tmp_path):
    path = tmp_path / "env.sh"
    path.write_text(
        "unset AWS_PROFILE\nexport PREFECT_API_URL=http://127.0.0.1:4200/api\n"
        "export PREFECT_API_AUTH_STRING='inclinet:a b=$c'\nexport PREFECT_HOME=/first/prefect\n"
        "export INCLINET_HOME=/first INCLINET_STORE=s3://inclinet\n"
    )
    assert read_environment(path) == {
        "PREFECT_API_URL": "http://127.0.0.1:4200/api",
        "PREFECT_API_AUTH_STRING": "inclinet:a b=$c",
        "INCLINET_STORE": "s3://inclinet",
    }


def test_a_file_that_is_missing_or_empty_is_named(tmp_path):
    with pytest.raises(InclinetError, match=r"none.sh: no such file; copy .service/env.sh"):
        read_environment(tmp_path / "none.sh")
    (tmp_path / "empty.sh").write_text("unset X\n")
    with pytest.raises(InclinetError, match="exports no variable"):
        read_environment(tmp_path / "empty.sh")


def test_a_worker_is_named_after_its_machine_and_takes_as_many_trainings_as_it_has_gpus(monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "node07")
    monkeypatch.setattr(devices, "gpus", lambda: ["GPU-1", "GPU-2"])
    assert worker_command("gpu")[-8:] == ["--pool", "gpu", "--name", "gpu-node07", "--type", "process", "--limit", "2"]
    assert "--limit" not in worker_command("cpu")


def test_no_worker_starts_without_a_server_that_answers(monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with temporary_settings(restore_defaults={PREFECT_API_URL}), pytest.raises(InclinetError, match="is not set"):
        app(["--pool", "cpu"], standalone_mode=False)
    nobody = f"http://127.0.0.1:{free_port()}/api"
    with (
        temporary_settings({PREFECT_API_URL: nobody}),
        pytest.raises(InclinetError, match="does not answer .* is the tunnel to the service open"),
    ):
        app(["--pool", "cpu"], standalone_mode=False)


@pytest.mark.service
@pytest.mark.slow
def test_two_more_machines_in_three_commands_each(small_sample, tmp_path):
    if missing := [name for name in ("unshare", "nsenter", "ip", "make") if shutil.which(name) is None]:
        pytest.skip(f"{missing[0]} is not installed")
    allowed = subprocess.run(
        [*NAMESPACES, "ip", "link", "set", "lo", "up"], capture_output=True, text=True, check=False
    )
    if allowed.returncode:
        pytest.skip(f"network namespaces are not allowed here: {allowed.stderr.strip()}")
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "AWS_"))}
    done = subprocess.run(
        [*NAMESPACES, sys.executable, "-m", "tests.deployments.machines", tmp_path, small_sample],
        cwd=ROOT,
        env=own,
        capture_output=True,
        text=True,
        check=False,
        timeout=550,
    )
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-4000:]
