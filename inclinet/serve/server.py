"""Run the web application, until it is interrupted."""

import logging
import socket
from collections.abc import Callable
from typing import Any

import uvicorn

from inclinet.errors import InclinetError
from inclinet.serve.settings import Serve

__all__ = ["address_of", "listen", "run_server"]

logger = logging.getLogger(__name__)

_LOOPBACK = ("127.", "localhost", "::1")
_CONNECTIONS = 256


def listen(settings: Serve) -> socket.socket:
    """Return a socket that listens where the settings say.

    Raises
    ------
    InclinetError
        When the port is taken, or the address is none of this machine.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    opened = socket.socket(family)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((settings.host, settings.port))
    except OSError as error:
        opened.close()
        where = f"{settings.host}:{settings.port}"
        raise InclinetError(
            f"{where}: cannot listen here ({error.strerror}); give another port", setting="port"
        ) from None
    if not settings.token and not settings.host.startswith(_LOOPBACK):
        logger.warning("everybody who reaches %s:%d may ask: there is no token", settings.host, settings.port)
    return opened


def address_of(opened: socket.socket) -> str:
    """Return the address that browsers open."""
    host, port = opened.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{port}"


def run_server(app: Any, opened: socket.socket, ready: Callable[[], None] | None = None) -> None:
    """Answer requests until SIGINT or SIGTERM; `ready` is called when the socket listens."""
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=10,
    )
    opened.listen(2048)
    if ready:
        ready()
    uvicorn.Server(config).run(sockets=[opened])
