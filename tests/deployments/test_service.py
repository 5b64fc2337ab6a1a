"""The service on one machine: real store, real Prefect server, real workers."""

import json
import os
import socket
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

pytest.importorskip("psutil", reason="needs the extra `service`")
pytest.importorskip("prefect", reason="needs the extra `service`")

import psutil
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelling, Completed, Scheduled

from deployments import prefect_server, processes, service
from deployments.overview import show_run
from deployments.prefect_server import prefect_client
from deployments.service import BUCKET, app, bucket_client, down, status, up
from deployments.terminal import run_commands
from deployments.watch import watch
from inclinet.errors import InclinetError
from inclinet.registry.champion import promote
from inclinet.registry.versions import VersionInfo, publish
from inclinet.storage.addresses import open_store
from tests.conftest import free_port
from tests.deployments.tiny import run_tiny, wait_for_state, write_project

# One service for all tests of this module.
pytestmark = pytest.mark.xdist_group("deployments")


def alive(processes):
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture
def project(tmp_path):
    return write_project(tmp_path / "project")


@pytest.fixture
def state(tmp_path):
    folder = tmp_path / "state"
    yield folder
    down(folder)


@pytest.mark.service
def test_up_gives_a_bucket_pools_and_workers(running, client):
    store = bucket_client(running)
    store.put_object(Bucket=BUCKET, Key="c/d.txt", Body=b"spiral")
    assert store.get_object(Bucket=BUCKET, Key="c/d.txt")["Body"].read() == b"spiral"
    types = {pool.name: pool.type for pool in client.read_work_pools()}  # other tests may have added some
    assert types.items() >= {"cpu": "process", "gpu": "process"}.items()
    assert client.read_work_pool("gpu").concurrency_limit >= 1
    assert client.read_work_pool("cpu").concurrency_limit is None
    assert all(status(running.folder).values())


@pytest.mark.service
def test_status_shows_runs_queue_and_the_version_in_use(running, client, tmp_path, capsys, monkeypatch):
    wait_for_state(client, run_tiny(client), "Completed")
    waiting = run_tiny(client, 20)
    wait_for_state(client, waiting, "Running")
    (tmp_path / "Uset_000_model4.keras").write_bytes(b"network")
    store = open_store(str(running.store.folder / BUCKET))
    version = publish(store, tmp_path, VersionInfo(size=64, bands=("c",))).version
    promote(store, version, "a test")
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", ["service", "status", "--folder", str(running.folder)])
    with pytest.raises(SystemExit) as ended:
        run_commands(app)
    text = capsys.readouterr().out
    assert ended.value.code == 0
    [run] = [line for line in text.splitlines() if client.read_flow_run(waiting).name in line]
    assert run.startswith("Running")
    assert max(map(len, text.partition("queue")[0].splitlines())) <= 80
    assert "Completed" in text
    assert "queue       0 in cpu, 0 in gpu" in text
    assert f"in use      version {version}: trained on an unknown number of galaxies" in text


def test_what_a_run_says_is_wrapped_and_not_cut(capsys):
    state = Completed(message=f"{'word ' * 60}end")
    show_run(FlowRun(name="a-run", flow_id=uuid4(), state=state, state_name=state.name))
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith("Completed ")
    assert first.endswith(" a-run")
    assert lines[-1].split()[-1] == "end"
    assert max(map(len, lines)) <= 80


@pytest.mark.service
def test_watch_follows_a_run_to_its_end(running, client, capsys):
    run = client.read_flow_run(run_tiny(client, 3))
    assert watch(run.name, running.folder)
    text = capsys.readouterr().out
    assert text.splitlines()[-1].startswith(f"{run.name} Completed")
    assert watch(str(run.id), running.folder)
    planned = Scheduled(scheduled_time=datetime.now(UTC) + timedelta(days=2))
    client.create_flow_run_from_deployment(run.deployment_id, state=planned)
    capsys.readouterr()
    assert watch("", running.folder)
    assert run.name in capsys.readouterr().out.splitlines()[0]
    with pytest.raises(InclinetError, match="no run is called 'another'"):
        watch("another", running.folder)
    with pytest.raises(InclinetError, match="does not run"):
        watch("", running.folder / "nowhere")


@pytest.mark.service
def test_a_deployed_flow_runs_on_the_worker_and_reaches_the_store(running, client):
    wait_for_state(client, run_tiny(client), "Completed")
    body = bucket_client(running).get_object(Bucket=BUCKET, Key="tiny.txt")["Body"].read()
    assert body.decode() == str(running.project)


def when_automations_changed(client):
    return [automation["updated"] for automation in client.request("POST", "/automations/filter", json={}).json()]


@pytest.mark.service
def test_second_up_keeps_the_processes_and_refuses_other_ports(running, client, capsys):
    before = status(running.folder)
    changed = when_automations_changed(client)
    assert len(changed) == 2
    again = up(running.folder, running.project)
    assert again == running
    assert status(running.folder) == before
    # An update would make it forget the runs that it watches.
    assert when_automations_changed(client) == changed
    assert capsys.readouterr().out.count("already running") == 4
    with pytest.raises(InclinetError, match="make down"):
        up(running.folder, running.project, prefect_port=free_port())


@pytest.mark.service
def test_secrets_stay_private(running):
    assert stat.S_IMODE(running.folder.stat().st_mode) == 0o700
    for name in ("credentials", "auth-string", "env.sh"):
        assert stat.S_IMODE((running.folder / name).stat().st_mode) == 0o600
    for name in ("AWS_SECRET_ACCESS_KEY", "PREFECT_API_AUTH_STRING"):
        secret = running.environment[name]
        processes = status(running.folder).values()
        assert not any(secret in " ".join(process.cmdline()) for process in processes)
        assert not any(secret in log.read_text() for log in (running.folder / "logs").iterdir())
        script = f". {running.folder}/env.sh && printf %s ${name}"
        assert subprocess.run(["sh", "-c", script], capture_output=True, text=True).stdout == secret


@pytest.mark.slow
@pytest.mark.service
def test_up_marks_runs_whose_process_died_with_its_worker(running, client):
    run = run_tiny(client, seconds=300)
    wait_for_state(client, run, "Running")
    worker = status(running.folder)["worker-cpu"]
    for process in [*worker.children(recursive=True), worker]:
        process.kill()
    time.sleep(1)
    assert client.read_flow_run(run).state.name == "Running"
    up(running.folder, running.project)
    assert client.read_flow_run(run).state.name == "Crashed"
    # It is run again by itself.
    wait_for_state(client, run, "Running", 120)
    client.set_flow_run_state(run, Cancelling())
    wait_for_state(client, run, "Cancelled")


@pytest.mark.service
def test_a_crashed_run_is_run_again_but_not_if_it_crashes_at_once(running, client):
    run = run_tiny(client, seconds=300)
    for attempt in (1, 2):
        wait_for_state(client, run, "Running", 120)
        assert client.read_flow_run(run).run_count == attempt
        process = psutil.Process(int(client.read_flow_run(run).infrastructure_pid.rpartition(":")[2]))
        # Of the deployment: the worker has no such setting.
        assert process.environ()["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == "30"
        process.kill()
        wait_for_state(client, run, "Crashed")
    healing = DeploymentFilter(name=DeploymentFilterName(any_=["crashed"]))
    for _ in range(240):
        messages = [one.state.message for one in client.read_flow_runs(deployment_filter=healing) if one.state]
        if any("is not run again: it crashed again" in str(message) for message in messages):
            break
        time.sleep(0.5)
    else:
        pytest.fail(f"{messages}")
    assert client.read_flow_run(run).state.name == "Crashed"


@pytest.mark.service
def test_down_ends_flow_runs_and_keeps_data(running):
    bucket_client(running).put_object(Bucket=BUCKET, Key="a/b.txt", Body=b"spiral")
    with prefect_client(running) as client:
        run = run_tiny(client, seconds=300)
        wait_for_state(client, run, "Running")
    processes = [process for process in status(running.folder).values() if process]
    tree = processes + [child for process in processes for child in process.children(recursive=True)]
    assert len(tree) > 4
    assert len(down(running.folder)) == 4
    assert alive(tree) == []
    assert down(running.folder) == []
    of_a_killed_run = running.folder / "tmp" / "inclinet-train-killed"
    of_a_killed_run.mkdir()
    os.utime(of_a_killed_run, (0, 0))
    assert up(running.folder, running.project) == running
    assert not of_a_killed_run.exists()
    assert bucket_client(running).head_object(Bucket=BUCKET, Key="a/b.txt")["ContentLength"] == 6
    # What `down` stopped goes on.
    with prefect_client(running) as client:
        wait_for_state(client, run, "Running", 120)
        assert client.read_flow_run(run).run_count == 2


def fails(capsys, monkeypatch, *arguments):
    """Return the error message of the command line, which must be all that it prints."""
    monkeypatch.setattr(sys, "argv", ["service", *map(str, arguments)])
    with pytest.raises(SystemExit) as exit_:
        run_commands(app)
    assert exit_.value.code == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize(("taken", "variable"), [(0, "PREFECT_PORT"), (1, "STORE_PORT")])
def test_taken_port_is_named_and_nothing_starts(capsys, monkeypatch, state, project, taken, variable):
    ports = free_port(), free_port()
    with socket.create_server(("127.0.0.1", ports[taken])):
        options = [f"--prefect-port={ports[0]}", f"--store-port={ports[1]}"]
        error = fails(capsys, monkeypatch, "up", *options, f"--folder={state}", f"--project={project}")
    assert f"port {ports[taken]}" in error
    assert f"make … {variable}=" in error
    assert status(state) == {}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--prefect-port=abc"], "Invalid value for '--prefect-port'"),
        (["--prefect-port=0"], "Invalid value for '--prefect-port'"),
        (["--store-port=65536"], "Invalid value for '--store-port'"),
        (["--prefect-port=4500", "--store-port=4500"], "port 4500 is given twice"),
        (["--project=nowhere"], "no prefect.yaml"),
        (["--folder=prefect.yaml"], "prefect.yaml: File exists"),
        (["--unknown"], "No such option: --unknown"),
    ],
)
def test_wrong_options_end_in_one_line(capsys, monkeypatch, project, options, reason):
    monkeypatch.chdir(project)
    monkeypatch.setattr(service, "_bring_up", lambda *_: pytest.fail("these options were accepted"))
    assert reason in fails(capsys, monkeypatch, "up", f"--project={project}", *options)


def test_unknown_command_ends_in_one_line(capsys, monkeypatch):
    assert "No such command 'restart'" in fails(capsys, monkeypatch, "restart")


def test_down_where_nothing_was_started(tmp_path):
    assert down(tmp_path) == []
    assert down(tmp_path / "nowhere") == []
    assert list(tmp_path.iterdir()) == []


def test_failed_start_stops_what_it_started(state, project, monkeypatch):
    spawned = []
    monkeypatch.setattr(prefect_server, "_python", lambda *_: [sys.executable, "-c", "exit('no server')"])
    monkeypatch.setattr(processes, "stop", lambda ps, stop=processes.stop: stop(spawned.extend(ps) or spawned))
    with pytest.raises(InclinetError, match="no server"):
        up(state, project, free_port(), free_port())
    assert spawned
    assert alive(spawned) == []
    assert status(state) == {}


def test_recycled_pid_is_left_alone(state):
    state.mkdir()
    bystander = psutil.Popen(["sleep", "60"])
    record = {"pid": bystander.pid, "created": bystander.create_time() - 60, "address": ""}
    (state / "processes.json").write_text(json.dumps({"object-store": record}))
    try:
        assert status(state) == {"object-store": None}
        assert down(state) == []
        assert bystander.is_running()
    finally:
        bystander.kill()
        bystander.wait()


def test_stop_kills_what_ignores_it_and_its_children(monkeypatch):
    monkeypatch.setattr(processes, "_GRACE", 0.5)
    deaf = psutil.Popen(["sh", "-c", "trap '' TERM; sleep 60 & echo ready; wait; wait"], stdout=subprocess.PIPE)
    deaf.stdout.readline()
    tree = [deaf, *deaf.children()]
    assert len(tree) == 2
    processes.stop([deaf])
    deaf.stdout.close()
    assert alive(tree) == []


def test_up_without_prefect_yaml_says_so(state, tmp_path):
    with pytest.raises(InclinetError, match=r"no prefect\.yaml"):
        up(state, tmp_path)
    assert not state.exists()
