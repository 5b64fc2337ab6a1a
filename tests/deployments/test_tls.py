"""The service behind nginx, with a certificate authority of its own, as docs/operations.md has it."""

import re
import shutil
import subprocess
import sys
import time

import pytest
import yaml

pytest.importorskip("psutil", reason="needs the extra `service`")
pytest.importorskip("prefect", reason="needs the extra `service`")

from prefect.blocks.system import Secret
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.workers.process import ProcessWorker

from deployments.processes import clean_environment
from deployments.settings import WORKER_SETTINGS
from tests.conftest import ROOT, free_port
from tests.deployments.tiny import PREFECT_YAML, wait_for_state

pytestmark = [pytest.mark.service, pytest.mark.slow, pytest.mark.xdist_group("deployments")]

HOST = "localhost"


def documented(start):
    """Return the shell commands of the page on operations that start with a word, for the host of these tests."""
    page = (ROOT / "docs" / "operations.md").read_text()
    [block] = [code for code in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) if code.startswith(start)]
    return block.replace("inclinet.example.org", HOST)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A folder with a certificate authority and a server's certificate, made by the documented commands."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(["bash", "-euc", documented("openssl")], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def proxy(running, certificate):
    """The documented nginx in front of the service; gives the ports of the API and of the store."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin")
    if nginx is None:
        pytest.skip("nginx is not installed")
    ports = free_port(), free_port()
    text = (ROOT / "deployments" / "nginx.conf").read_text().replace("/etc/inclinet", str(certificate))
    for old, new in {
        "listen 443 ": f"listen 127.0.0.1:{ports[0]} ",
        "listen 9443 ": f"listen 127.0.0.1:{ports[1]} ",
        "127.0.0.1:4200": f"127.0.0.1:{running.prefect_port}",
        "127.0.0.1:9000": f"127.0.0.1:{running.store_port}",
        "inclinet.example.org": HOST,
    }.items():
        assert old in text
        text = text.replace(old, new)
    (certificate / "site.conf").write_text(text)
    temporary = "".join(
        f"{kind}_temp_path {certificate}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (certificate / "nginx.conf").write_text(
        f"pid {certificate}/pid; error_log {certificate}/error.log; daemon off;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}include {certificate}/site.conf;\n}}\n"
    )
    process = subprocess.Popen([nginx, "-p", certificate, "-c", certificate / "nginx.conf"])
    yield ports
    process.terminate()
    process.wait(20)


@pytest.fixture(scope="module")
def environment(running, proxy, certificate):
    """The documented environment of a worker on another machine."""
    exports = documented("export PREFECT_API_URL")
    given = dict(re.findall(r"^export (\w+)=(\S*)", exports, re.MULTILINE))
    known = {
        "PREFECT_API_URL": f"https://{HOST}:{proxy[0]}/api",
        "AWS_ENDPOINT_URL": f"https://{HOST}:{proxy[1]}",
        "PREFECT_API_SSL_CERT_FILE": str(certificate / "ca.pem"),
        "AWS_CA_BUNDLE": str(certificate / "ca.pem"),
        "PREFECT_HOME": str(certificate / "prefect"),
    }
    assert given.keys() >= known.keys() - {"PREFECT_HOME"}
    kept = {name: value for name, value in running.environment.items() if name in given}
    assert kept.keys() >= {"PREFECT_API_AUTH_STRING", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "INCLINET_STORE"}
    home = {"INCLINET_HOME": str(running.project)}
    # As Inclinet's own client: boto3's default sends no length over TLS, which rclone refuses.
    known["AWS_REQUEST_CHECKSUM_CALCULATION"] = "when_required"
    return clean_environment(kept | home | known | WORKER_SETTINGS | {"PREFECT_WORKER_QUERY_SECONDS": "0.5"})


def prefect(environment, *arguments, **options):
    command = [sys.executable, "-m", "prefect", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, **options)


@pytest.fixture
def run_far(running, client, environment, tmp_path):
    """A function that runs the flow on a worker beyond the proxy, on a pool of its own, and waits for it."""
    template = ProcessWorker.get_default_base_job_template()

    def run(pool, without=(), job_variables=None, **parameters):
        its = {name: value for name, value in environment.items() if name not in without}
        client.create_work_pool(WorkPoolCreate(name=pool, type="process", base_job_template=template))
        content = yaml.safe_load(PREFECT_YAML)
        content["deployments"][0] |= {"name": pool, "work_pool": {"name": pool, "job_variables": job_variables or {}}}
        (tmp_path / "prefect.yaml").write_text(yaml.safe_dump(content))
        shutil.copy(running.project / "flow.py", tmp_path)
        deploy = [sys.executable, "-m", "deployments.deploy"]
        subprocess.run(deploy, cwd=tmp_path, env=environment, check=True, timeout=120)
        deployment = client.read_deployment_by_name(f"tiny/{pool}")
        started = client.create_flow_run_from_deployment(deployment.id, parameters=parameters)
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--type", "process"]
        with (tmp_path / "worker.log").open("w") as log:
            worker = subprocess.Popen(command, env=its, stdout=log, stderr=log)
        try:
            wait_for_state(client, started.id, "Completed", seconds=180)
        finally:
            worker.terminate()
            worker.wait(30)
        return (tmp_path / "worker.log").read_text()

    return run


def test_a_worker_runs_through_the_proxy_and_starts_children(run_far):
    assert "Error" not in run_far("far", child=True)


def test_keys_come_from_blocks_where_the_worker_has_none(running, run_far):
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    for number, name in enumerate(keys):
        Secret(value=running.environment[name]).save(f"store-{number}", _sync=True)
    blocks = {name: f"{{{{ prefect.blocks.secret.store-{number} }}}}" for number, name in enumerate(keys)}
    log = run_far("keyless", without=keys, job_variables={"env": blocks})
    assert running.environment[keys[1]] not in log


def test_events_come_through_the_proxy(client, environment):
    done = prefect(environment, "event", "emit", "inclinet.tested", "--resource-id", "inclinet.test")
    assert done.returncode == 0, done.stderr
    wanted = {"filter": {"event": {"name": ["inclinet.tested"]}}}
    for _ in range(30):
        if client.request("POST", "/events/filter", json=wanted).json()["events"]:
            return
        time.sleep(1)
    pytest.fail("no event came")


def test_without_the_authority_nothing_is_said(environment):
    """A client that does not know who answers must not send the auth string."""
    unaware = {name: value for name, value in environment.items() if name != "PREFECT_API_SSL_CERT_FILE"}
    done = prefect(unaware, "deployment", "ls")
    assert done.returncode != 0
    assert "certificate" in (done.stdout + done.stderr).lower()
