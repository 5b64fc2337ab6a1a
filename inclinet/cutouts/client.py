"""Asking servers over HTTP: not too often, again after trouble, never for ever."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from types import TracebackType
from typing import TypeVar

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

__all__ = ["Client", "FetchError", "Pace"]

T = TypeVar("T")

_LARGEST_BODY = 64 * 2**20  # bytes
_LONGEST_WAIT = 600.0  # s; a server that asks for more is not waited for
_DEADLINE = 5  # times the time-out: a whole body may take that long
_TEXT = 160  # characters of a server's own words


class FetchError(Exception):
    """A server did not give what it was asked for; the message is the reason.

    Parameters
    ----------
    reason : str
    is_trouble : bool
        Whether the server may answer another time: it was busy, slow, silent, or sent something broken.
    wait : float, optional
        Seconds to wait before asking again, as the server says.
    """

    def __init__(self, reason: str, *, is_trouble: bool = False, wait: float | None = None) -> None:
        super().__init__(reason)
        self.is_trouble = is_trouble
        self.wait = wait

    @property
    def is_worth_retrying(self) -> bool:
        """Whether to ask again in this run."""
        return self.is_trouble and (self.wait or 0) <= _LONGEST_WAIT


class Pace:
    """Spreads the requests of several threads: at most `rate` of them begin in a second."""

    def __init__(self, rate: float) -> None:
        self._interval = 1 / rate
        self._next = 0.0
        self._lock = threading.Lock()
        self.stopped = threading.Event()

    def wait(self) -> None:
        """Wait for the turn of this request, at most until stopped."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._interval
        self.stopped.wait(turn - now)

    def pause(self, seconds: float) -> None:
        """Let no request begin for some seconds."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)


class Client:
    """Asks servers, from any number of threads.

    Parameters
    ----------
    rate : float
        Requests per second.
    attempts : int
        How often to ask before giving up.
    timeout : float
        Seconds without an answer until a request counts as lost.
    backoff : float
        Seconds before the second attempt; they double from attempt to attempt, up to a minute, and are jittered.
    """

    def __init__(self, rate: float, attempts: int, timeout: float, backoff: float = 1.0) -> None:
        self._pace = Pace(rate)
        self._timeout = timeout
        self._attempts = attempts
        self._backoff = wait_exponential_jitter(multiplier=backoff, max=60, jitter=backoff)
        self._http = httpx.Client(
            timeout=timeout,
            follow_redirects=True,
            headers={"User-Agent": f"inclinet/{version('inclinet')}"},
        )

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._http.close()

    def stop(self) -> None:
        """Let no thread wait any longer, nor ask again."""
        self._pace.stopped.set()

    def get(self, url: str, use: Callable[[bytes], T]) -> T:
        """Return what `use` makes of the body at an address.

        Raises
        ------
        FetchError
            When the server refuses, or is still in trouble at the last attempt. One raised by `use` counts like the
            server's own.
        """
        return self.retry(lambda: use(self._ask(url)))

    def retry(self, ask: Callable[[], T]) -> T:
        """Return what `ask` returns; it is called again after trouble. It waits for no turn by itself."""
        retrying = Retrying(
            stop=stop_after_attempt(self._attempts),
            wait=self._wait,
            retry=retry_if_exception(lambda error: self._may_retry(error)),
            sleep=self._sleep,
            reraise=True,
        )
        return retrying(ask)

    def take_turn(self) -> None:
        """Wait for the turn of a request that another library makes.

        Raises
        ------
        FetchError
            When the client was stopped.
        """
        self._pace.wait()
        if self._pace.stopped.is_set():
            raise FetchError("interrupted", is_trouble=True)

    def _may_retry(self, error: BaseException) -> bool:
        return isinstance(error, FetchError) and error.is_worth_retrying and not self._pace.stopped.is_set()

    def _sleep(self, seconds: float) -> None:
        self._pace.stopped.wait(seconds)

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.wait if isinstance(error, FetchError) else None
        return max(self._backoff(state), asked or 0)

    def _ask(self, url: str) -> bytes:
        """Return the body at an address, asked for once."""
        self.take_turn()
        try:
            with self._http.stream("GET", url) as response:
                body = self._read(response)
        except httpx.TimeoutException:
            raise FetchError(f"no answer within {self._timeout:g} s", is_trouble=True) from None
        except httpx.TransportError as error:
            text = str(error) or type(error).__name__
            raise FetchError(f"the connection failed ({text})", is_trouble=True) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise FetchError(f"{type(error).__name__}: {error}") from None
        if response.status_code == 429 or response.status_code >= 500:
            wait = _retry_after(response)
            if wait:
                self._pace.pause(min(wait, _LONGEST_WAIT))
            asked = f", and asks to wait {wait:.0f} s" if wait else ""
            raise FetchError(f"the server answers {_status(response, body)}{asked}", is_trouble=True, wait=wait)
        if response.status_code != 200:
            raise FetchError(f"the server answers {_status(response, body)}")
        return body

    def _read(self, response: httpx.Response) -> bytes:
        """Return a body, unless it is too long, or drips in for too long."""
        body, deadline = bytearray(), time.monotonic() + _DEADLINE * self._timeout
        for piece in response.iter_bytes():
            body += piece
            if len(body) > _LARGEST_BODY:
                raise FetchError(f"the answer is larger than {_LARGEST_BODY // 2**20} MiB")
            if time.monotonic() > deadline:
                raise FetchError(f"the answer is not complete after {_DEADLINE * self._timeout:g} s", is_trouble=True)
        return bytes(body)


def _status(response: httpx.Response, body: bytes) -> str:
    """Return a status in the server's words: number, reason, and the beginning of a short text."""
    text = " ".join(body.decode("utf-8", "replace").split()) if not body.lstrip().startswith(b"<") else ""
    words = " ".join(filter(None, [str(response.status_code), response.reason_phrase, text[:_TEXT]]))
    return words if words.isprintable() else str(response.status_code)


def _retry_after(response: httpx.Response) -> float | None:
    """Return how many seconds the server asks to wait (RFC 9110, 10.2.3: seconds or a date), None if it doesn't."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    with suppress(ValueError):
        date = parsedate_to_datetime(value)
        return max(0.0, ((date if date.tzinfo else date.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds())
    return None
