"""Fixtures of the tests of the server: the application in this process, and a server of its own."""

import io
import os
import subprocess
import sys
from contextlib import contextmanager

import httpx
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from inclinet.registry.choice import choose
from inclinet.registry.shipped import read_shipped
from inclinet.serve.settings import Serve
from inclinet.serve.start import open_application
from tests.conftest import ROOT, disc

if read_shipped() is None:
    pytest.skip("no version ships with this copy of the code", allow_module_level=True)


def jpeg(inclination=70, size=256, **how):
    """Return the content of a JPEG of a plain disc."""
    content = io.BytesIO()
    Image.fromarray(disc(size, inclination, **how)).save(content, "JPEG", quality=95)
    return content.getvalue()


def files(*named):
    """Return files, (name, content), as httpx sends them."""
    return [("files", one) for one in named]


@pytest.fixture(scope="session")
def shipped_choice():
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("INCLINET_STORE", raising=False)
        return choose(None, "shipped")


@pytest.fixture(scope="module")
def open_client(shipped_choice):
    """A function that returns a client of an application in this process."""

    def go(label=None, out=None, **settings):
        application = open_application(shipped_choice, Serve(**settings), label, out)
        return TestClient(application.app, base_url="http://127.0.0.1")

    return go


@pytest.fixture(scope="module")
def client(open_client):
    return open_client()


@contextmanager
def running(*options):
    """Run `inclinet serve` on a free port; gives its process and address."""
    command = [sys.executable, "-m", "inclinet", "serve", "--version", "shipped", "--port", "0", *map(str, options)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            address = process.stdout.readline().strip()
            assert address.startswith("http://127.0.0.1:"), process.stderr.read()
            yield process, address
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture(scope="module")
def server():
    with running() as (process, address):
        assert httpx.get(f"{address}health", timeout=60).json()["status"] == "ok"
        yield process, address
