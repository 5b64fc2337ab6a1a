"""Nobody who lacks the auth string gets in."""

import asyncio
import json
from dataclasses import replace

import httpx
import pytest

pytest.importorskip("psutil", reason="needs the extra `service`")
pytest.importorskip("prefect", reason="needs the extra `service`")

import websockets

from deployments import processes
from deployments.auth import choose_auth_string, read_auth_string
from deployments.prefect_server import server_program
from deployments.processes import Launch, stop_programs
from deployments.service import up
from inclinet.errors import InclinetError

SOCKETS = (
    "events/in",
    "events/out",
    "logs/out",
    "task_runs/subscriptions/scheduled",
    "work_pools/cpu/workers/connect",
)
PUBLIC = {("get", "/health"), ("get", "/ready")}


@pytest.mark.service
@pytest.mark.xdist_group("deployments")
class TestServer:
    """The server of a running service."""

    def test_every_route_answers_401_without_it(self, running):
        user, _, password = running.auth_string.partition(":")
        schema = httpx.get(f"{running.api}/openapi.json", auth=(user, password), timeout=60).json()
        routes = {(method, path) for path, methods in schema["paths"].items() for method in methods}
        assert len(routes) > 150
        routes |= {("get", f"/{path}") for path in ("openapi.json", "docs", "metrics", "static/a")}
        wrong = [None, (user, "wrong"), (user, "")]
        with httpx.Client(base_url=running.api, timeout=60) as http:
            answers = {
                (method, path, auth): http.request(method, path, auth=auth).status_code
                for method, path in routes - PUBLIC
                for auth in (wrong if path.startswith("/a") else wrong[:1])
            }
        assert {key: code for key, code in answers.items() if code != 401} == {}

    def test_the_ui_asks_for_it_and_holds_nothing_itself(self, running):
        assert httpx.get(f"{running.ui}/ui-settings").json()["auth"] == "BASIC"
        assert httpx.get(running.ui, follow_redirects=True, timeout=60).status_code == 200

    @pytest.mark.parametrize("path", SOCKETS)
    def test_websockets_are_closed_without_it(self, running, path):
        address = f"{running.api}/{path}".replace("http", "ws", 1)

        async def greet(*greetings, subprotocols=("prefect",)):
            async with websockets.connect(address, subprotocols=subprotocols) as socket:
                for greeting in greetings:
                    await socket.send(json.dumps(greeting))
                return json.loads(await socket.recv())

        for token in (None, "wrong", ""):
            with pytest.raises(websockets.ConnectionClosed) as closed:
                asyncio.run(greet({"type": "auth", "token": token}))
            assert closed.value.rcvd.code == 1008
        with pytest.raises(websockets.ConnectionClosed):
            asyncio.run(greet({"type": "filter", "filter": {}}))
        with pytest.raises((websockets.InvalidStatus, websockets.ConnectionClosed)):
            asyncio.run(greet({}, subprotocols=None))
        if path in SOCKETS[:3]:
            assert asyncio.run(greet({"type": "auth", "token": running.auth_string})) == {"type": "auth_success"}

    def test_a_server_without_it_is_replaced(self, running, client, monkeypatch):
        """As after an upgrade from a version whose server let everybody in."""
        stop_programs(running.folder, ["prefect-server"])
        program = server_program(running, client)
        settings = {name: value for name, value in program.environment.items() if not name.endswith("AUTH_STRING")}
        open_to_all = replace(program, environment=settings, ready=lambda _: client.api_healthcheck() is None)
        launch = Launch(running.folder)
        launch.start(open_to_all)
        launch.wait(open_to_all)
        assert httpx.get(f"{running.api}/admin/version", timeout=60).status_code == 200
        monkeypatch.setattr(processes, "_PATIENCE", 1)
        up(running.folder, running.project)
        assert httpx.get(f"{running.api}/admin/version", timeout=60).status_code == 401


def test_the_operator_can_choose_it(tmp_path, monkeypatch):
    made = read_auth_string(tmp_path)
    assert made.startswith("inclinet:")
    assert len(made) > 40
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", "admin:of my own")
    with pytest.raises(InclinetError, match="user:password"):
        choose_auth_string(tmp_path)
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", "admin:mine")
    choose_auth_string(tmp_path)
    assert read_auth_string(tmp_path) == "admin:mine"


@pytest.mark.service
@pytest.mark.xdist_group("deployments")
def test_it_cannot_be_changed_under_a_running_server(running, monkeypatch):
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", "admin:another")
    with pytest.raises(InclinetError, match="make down"):
        up(running.folder, running.project)
