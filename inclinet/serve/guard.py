"""What stands before every request: token, length and time of uploads, bytes under way, headers of the answer."""

import asyncio
import hmac
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inclinet.serve.metrics import Metrics
from inclinet.serve.settings import Serve

__all__ = ["Guard"]

_MIB = 2**20
_UPLOADS = 4  # of the largest size that may be under way at once; others wait
_WAIT, _UPLOAD_TIME = 20.0, 60.0  # seconds until an upload begins, and until it has come
_DRAIN_TIME = 5.0  # seconds in which a refused upload is read and dropped, so that its sender gets to the answer
_OTHER = "other"  # path in the metrics of all that is not there

_HEADERS = {
    # Nothing from elsewhere; styles and scripts only from files; pictures also as data of the answer.
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class Guard:
    """ASGI middleware that refuses before anything is read what would be refused afterwards.

    Parameters
    ----------
    app : ASGI application
    settings : Serve
    metrics : Metrics
    paths : set of str
        Those that are counted by name.
    """

    def __init__(self, app: ASGIApp, settings: Serve, metrics: Metrics, paths: set[str]) -> None:
        self._app, self._settings, self._metrics, self._paths = app, settings, metrics, paths
        self._under_way = 0
        self._changed = asyncio.Condition()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500
        path = scope["path"] if scope["path"] in self._paths else _OTHER

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._answer(scope, receive, send_with_headers)
        finally:
            self._metrics.requests.labels(path, str(status)).inc()
            self._metrics.seconds.labels(path).observe(time.perf_counter() - start)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        try:
            self._check_token(scope["path"], headers)
            if scope["method"] in ("GET", "HEAD", "OPTIONS"):
                await self._app(scope, receive, send)
                return
            async with self._room_for(self._length(headers)):
                await self._app(scope, _in_time(receive), send)
        except HTTPException as error:
            answer = JSONResponse({"detail": error.detail}, error.status_code, dict(error.headers or {}))
            await _refuse(answer, scope, receive, send)

    def _check_token(self, path: str, headers: Headers) -> None:
        if not self._settings.token or not path.startswith(("/api/", "/metrics")):
            return
        given = headers.get("authorization", "").removeprefix("Bearer ").strip()
        if not hmac.compare_digest(given.encode(), self._settings.token.encode()):
            detail = "this server needs its token: send the header `Authorization: Bearer TOKEN`"
            raise HTTPException(401, detail, {"WWW-Authenticate": "Bearer"})

    def _length(self, headers: Headers) -> int:
        """Return how many bytes a request uploads, as it says; the server reads no more than that."""
        if "content-length" not in headers:
            raise HTTPException(411, "the length of the upload is missing: send the header Content-Length")
        try:
            length = int(headers["content-length"])
        except ValueError:
            raise HTTPException(400, "Content-Length is no number") from None
        if length > self._settings.max_upload * _MIB:
            raise HTTPException(
                413,
                f"an upload of {length / _MIB:,.0f} MiB is too large: {self._settings.max_upload} MiB may come at once",
            )
        return length

    @asynccontextmanager
    async def _room_for(self, length: int) -> AsyncIterator[None]:
        """Wait until the uploads under way leave room for another one: this bounds the memory."""
        most = _UPLOADS * self._settings.max_upload * _MIB
        try:
            async with asyncio.timeout(_WAIT), self._changed:
                await self._changed.wait_for(lambda: self._under_way + length <= most)
                self._under_way += length
        except TimeoutError:
            detail = "too many uploads at once; try again in a few seconds"
            raise HTTPException(503, detail, {"Retry-After": "10"}) from None
        self._metrics.uploading.inc(length)
        try:
            yield
        finally:
            self._metrics.uploading.dec(length)
            async with self._changed:
                self._under_way -= length
                self._changed.notify_all()


def _in_time(receive: Receive) -> Receive:
    """Return `receive` with a time limit for the whole upload."""
    end = time.monotonic() + _UPLOAD_TIME
    is_there = False

    async def receive_in_time() -> Message:
        nonlocal is_there
        if is_there:
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), max(end - time.monotonic(), 0))
        except TimeoutError:
            raise HTTPException(408, f"the upload did not come within {_UPLOAD_TIME:.0f} s") from None
        is_there = not message.get("more_body", False)
        return message

    return receive_in_time


async def _refuse(answer: JSONResponse, scope: Scope, receive: Receive, send: Send) -> None:
    """Send an answer, and drop the upload: many programs read no answer before they have sent everything."""
    await send({"type": "http.response.start", "status": answer.status_code, "headers": answer.raw_headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": True})
    try:
        async with asyncio.timeout(_DRAIN_TIME):
            while (await receive()).get("more_body", False):
                pass
    except TimeoutError:
        pass
    await send({"type": "http.response.body", "body": b"", "more_body": False})
