"""The commands of docs/operations.md for one machine, as a reader types them: by `make`, in a clone of the code."""

import json
import os
import re
import shutil
import subprocess

import httpx
import pytest

pytest.importorskip("psutil", reason="needs the extra `service`")
pytest.importorskip("prefect", reason="needs the extra `service`")

from prefect.client.schemas.actions import VariableCreate

from deployments.prefect_server import prefect_client
from deployments.settings import Service
from tests.conftest import ROOT, free_port
from tests.deployments.machines import checkout

pytestmark = [
    pytest.mark.service,
    pytest.mark.slow,
    pytest.mark.xdist_group("deployments"),
    pytest.mark.timeout(1500),  # five starts of the service
]

NAME = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}


def read(page):
    return (ROOT / "docs" / f"{page}.md").read_text()


def block(holds, section):
    """Return the shell commands in a section of the page that hold a text."""
    page = read("operations").partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    [found] = [code for code in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) if holds in code]
    return found


@pytest.fixture
def origin(tmp_path):
    """A repository with the code, which the operator's folder is a clone of."""
    folder = checkout(tmp_path / "origin")
    (folder / ".venv").unlink()
    (folder / ".gitignore").write_text(".venv\n.service\n*.tar.gz\n__pycache__\n")
    for command in ("init --quiet", "add --all", "commit --quiet --message=First"):
        git(folder, command)
    return folder


def git(folder, command):
    subprocess.run(["git", *command.split()], cwd=folder, env=os.environ | NAME, check=True)


@pytest.fixture
def folder(origin, tmp_path):
    """The operator's folder, and a `make` that takes its installation as up to date."""
    wrapper = tmp_path / "bin" / "make"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("make")} --assume-old=.venv/.installed "$@"\n')
    wrapper.chmod(0o755)
    git(tmp_path, f"clone --quiet {origin} inclinet")
    folder = tmp_path / "inclinet"
    (folder / ".venv").symlink_to((ROOT / ".venv").resolve())
    yield folder
    shell(folder, "make down")


def shell(folder, commands):
    """Execute commands in the folder, in a shell of its own; return what they printed."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "AWS_", "INCLINET_"))}
    own |= {"PYTHONPATH": str(folder), "PATH": f"{folder.parent / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-ec", commands], cwd=folder, env=own, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{commands}\n{done.stdout}{done.stderr}"
    return done.stdout


def client_of(folder):
    ports = json.loads((folder / ".service" / "ports.json").read_text())
    return prefect_client(Service(folder / ".service", folder, ports["PREFECT_PORT"], ports["STORE_PORT"]), timeout=60)


def test_the_commands_for_one_machine(folder, origin):
    prefect_port = free_port()
    shell(folder, f"make up PREFECT_PORT={prefect_port} STORE_PORT={free_port()}")
    made = (folder / ".service" / "auth-string").read_text()

    shell(folder, block("PREFECT_SERVER_API_AUTH_STRING=", "Who gets in"))
    chosen = (folder / ".service" / "auth-string").read_text().strip()
    assert re.fullmatch("operator:[0-9a-f]{40}", chosen)
    address = f"http://127.0.0.1:{prefect_port}"
    for auth, status in ((made.strip(), 401), (chosen, 200)):
        user, _, password = auth.partition(":")
        assert httpx.get(f"{address}/api/admin/version", auth=(user, password), timeout=60).status_code == status

    # Alerts are applied at every start from now on.
    [alerts] = re.findall(r"^python -m deployments.automations --alerts \S+hook$", read("service"), re.MULTILINE)
    assert "`inclinet prune --dry-run`" in read("operations")
    environment = "source .venv/bin/activate; source .service/env.sh"
    said = shell(folder, f"{environment}\n{alerts}\ninclinet prune --dry-run")
    assert "alerts go to 1 receiver\n" in said
    assert "to remove" in said

    # As a person and a run would.
    with client_of(folder) as client:
        client.create_variable(VariableCreate(name="setting", value="a person's"))
    (folder / ".service" / "store" / "inclinet" / "labels.csv").write_text("pgc\n1\n")

    # An upgrade that changes a deployment.
    text = (origin / "prefect.yaml").read_text()
    assert "concurrency_limit: 1" in text
    (origin / "prefect.yaml").write_text(text.replace("concurrency_limit: 1", "concurrency_limit: 2", 1))
    git(origin, "commit --quiet --all --message=Second")
    said = shell(folder, block("git pull", "Upgrade"))
    assert "changed concurrency limit 1 → 2" in " ".join(said.split())

    shell(folder, block("PREFECT_UI_API_URL=", "TLS"))
    settings = httpx.get(f"{address}/ui-settings", timeout=60).json()
    assert settings["api_url"] == "https://inclinet.example.org/api"

    shell(folder, block("tar -czf", "Backup and restore"))
    shell(folder, "make down")
    shutil.rmtree(folder / ".service")
    shell(folder, block("tar -xzf", "Backup and restore"))
    assert (folder / ".service" / "store" / "inclinet" / "labels.csv").read_text() == "pgc\n1\n"
    with client_of(folder) as client:
        assert client.read_variable_by_name("setting").value == "a person's"
