"""Alerts of a real Prefect server, at receivers on this machine."""

import json
import queue
import socketserver
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

pytest.importorskip("prefect", reason="needs the extra `service`")

from prefect import flow, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.events import emit_event
from prefect.events.worker import EventsWorker
from prefect.states import Crashed, Failed, Running

from deployments import alerts
from deployments.alerts import save_receiver
from deployments.automations import apply_automations
from flows.disks import NEARLY_FULL
from flows.heal import GIVEN_UP
from inclinet.errors import InclinetError
from tasks.drift import DRIFTED
from tasks.prune import STORE_NEARLY_FULL
from tests.tasks.conftest import prefect_api  # noqa: F401

pytestmark = pytest.mark.xdist_group("tasks")


@flow(name="nightly")
def nightly():
    """Never called."""


class Received(queue.Queue):
    """What a receiver was sent, in a queue."""

    def find(self, *texts, seconds=60):
        """Wait for a message that holds all of the texts."""
        deadline, seen = time.monotonic() + seconds, []
        while time.monotonic() < deadline:
            try:
                seen.append(self.get(timeout=1))
            except queue.Empty:
                continue
            if all(text in seen[-1] for text in texts):
                return seen[-1]
        raise AssertionError(f"{texts} not in {seen}")


@pytest.fixture(scope="module")
def webhook():
    """A receiver of webhooks: its address, and what it was sent."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            received.put(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments):
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/alerts", received
        server.shutdown()


@pytest.fixture(scope="module")
def mailbox():
    """A mail server: its address, and the mails that it was sent."""
    received = Received()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.answer("220 here")
            for line in self.rfile:
                command = line.decode().strip().upper()
                if command == "DATA":
                    self.answer("354 go on")
                    lines = iter(self.rfile.readline, b".\r\n")
                    received.put(b"".join(lines).decode())
                self.answer("221 bye" if command == "QUIT" else "250 well")
                if command == "QUIT":
                    return

        def answer(self, text):
            self.wfile.write(f"{text}\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"mailto://127.0.0.1:{server.server_address[1]}?from=inclinet@example.org&to=night@example.org", received
        server.shutdown()


@pytest.fixture(scope="module")
def watched(prefect_api, webhook, mailbox):  # noqa: F811
    """A deployment whose runs are watched, with alerts to both receivers; a client."""
    # Else events go on to the server of an earlier test.
    EventsWorker.drain_all()
    save_receiver(webhook[0])
    save_receiver(mailbox[0], "inclinet-alerts-mail")
    with get_client(sync_client=True) as client:
        environment = {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}
        client.create_deployment(client.create_flow(nightly), name="nightly", job_variables={"env": environment})
        apply_automations(client)
        time.sleep(3)  # until the server has loaded them
        yield client


def end(client, state, name):
    deployment = client.read_deployment_by_name("nightly/nightly")
    run = client.create_flow_run_from_deployment(deployment.id, name=name)
    for one in (Running(), state):
        client.set_flow_run_state(run.id, one, force=True)


def test_a_failed_run_is_told_to_all_receivers(watched, webhook, mailbox):
    end(watched, Failed(message="no disk"), "inclinet-0001")
    text = json.loads(webhook[1].find("inclinet-0001"))["text"]
    assert text.startswith("Inclinet: a run ended badly\ninclinet-0001 is Failed: no disk\nhttp://127.0.0.1:")
    assert "no disk" in mailbox[1].find("inclinet-0001", "Subject: Inclinet: a run ended badly")


def test_a_crash_that_is_reported_twice_is_told_once(watched, webhook):
    end(watched, Crashed(message="killed"), "inclinet-0002")
    webhook[1].find("inclinet-0002 is Crashed: killed")
    runs = watched.read_flow_runs()
    [run] = [one for one in runs if one.name == "inclinet-0002"]
    watched.set_flow_run_state(run.id, Crashed(message="killed, says the worker"), force=True)
    emit_event("inclinet.test", {"prefect.resource.id": "inclinet.test"})
    with pytest.raises(AssertionError):
        webhook[1].find("inclinet-0002", seconds=5)


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (GIVEN_UP, "galaxy is left to you: it crashed 6 times"),
        (NEARLY_FULL, "Inclinet: nearly full\\nit crashed 6 times"),
        (STORE_NEARLY_FULL, "Inclinet: nearly full\\nit crashed 6 times"),
        (DRIFTED, "Inclinet: predictions have drifted\\nit crashed 6 times"),
    ],
)
def test_what_runs_report_is_told(watched, webhook, event, told):
    emit_event(
        event,
        {"prefect.resource.id": f"a.{event}", "prefect.resource.name": "galaxy"},
        payload={"why": "it crashed 6 times"},
    )
    webhook[1].find(told)


def test_a_late_run_is_told(watched, webhook):
    """The server looks every few seconds for runs that should have begun 15 s ago."""
    deployment = watched.read_deployment_by_name("nightly/nightly")
    watched.create_flow_run_from_deployment(deployment.id, name="inclinet-0003")
    webhook[1].find("Inclinet: a run is late", "inclinet-0003 is Late")


def test_a_pool_without_a_worker_is_told(watched, webhook):
    """The server looks every 15 s for workers that were silent for three times their interval."""
    watched.create_work_pool(WorkPoolCreate(name="gpu", type="process"))
    watched.send_worker_heartbeat("gpu", "gone", heartbeat_interval_seconds=1)
    webhook[1].find("no worker serves the pool gpu", seconds=90)


def test_alerts_without_a_receiver_are_none():
    assert alerts.alerts([], None) == []


@pytest.mark.parametrize(("url", "name"), [("me", "inclinet-alerts"), ("https://a.org", "mine")])
def test_a_wrong_receiver_is_refused(url, name):
    with pytest.raises(InclinetError):
        save_receiver(url, name)
