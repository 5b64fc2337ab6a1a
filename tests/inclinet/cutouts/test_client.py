import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from inclinet.cutouts.client import Client, FetchError, Pace


@pytest.fixture
def get(sky):
    """Ask the stand-in for a picture, after these troubles; returns its length."""

    def ask(*troubles, **settings):
        sky.troubles[1.0] = list(troubles)
        url = f"{sky.url}/viewer/jpeg-cutout?ra=1&dec=1&layer=sdss&pixscale=1&size=64"
        what = {"rate": 200, "attempts": 3, "timeout": 5, "backoff": 0.01} | settings
        with Client(**what) as client:
            return client.get(url, len)

    return ask


@pytest.mark.parametrize("trouble", ["429", "429 0", "500", "503", "hang-up"])
def test_trouble_passes(get, sky, trouble):
    assert get(trouble, trouble) > 500
    assert len(sky.requests) == 3


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ("429", "answers 429 Too Many Requests busy"),
        ("502", "answers 502 Bad Gateway"),
        ("hang-up", "connection failed"),
    ],
)
def test_trouble_that_stays_is_named(get, sky, trouble, reason):
    with pytest.raises(FetchError, match=reason) as caught:
        get(*[trouble] * 9)
    assert caught.value.is_trouble
    assert len(sky.requests) == 3


@pytest.mark.parametrize("trouble", ["404", "400", "403"])
def test_a_refusal_is_final(get, sky, trouble):
    with pytest.raises(FetchError, match=f"answers {trouble} .* busy") as caught:
        get(trouble)
    assert not caught.value.is_trouble
    assert len(sky.requests) == 1


def test_what_the_use_of_a_body_raises_counts_too(get, sky):
    with pytest.raises(FetchError, match="not this"), Client(200, 3, 5, 0.01) as client:
        client.get(f"{sky.url}/viewer/jpeg-cutout?ra=1&dec=1&layer=sdss&pixscale=1&size=64", refuse)
    assert len(sky.requests) == 3


def refuse(_):
    raise FetchError("not this", is_trouble=True)


def test_the_server_says_how_long_to_wait(get, sky):
    assert get("429 1") > 500
    assert 1 <= sky.times[1] - sky.times[0] < 2


def test_the_server_says_until_when_to_wait(get, sky):
    until = datetime.now(UTC) + timedelta(seconds=2.5)
    assert get(f"503 {format_datetime(until, usegmt=True)}") > 500
    assert 0.9 < sky.times[1] - sky.times[0] < 4


def test_all_threads_wait_for_a_busy_server(sky):
    sky.troubles[1.0] = ["429 1"]
    url = f"{sky.url}/viewer/jpeg-cutout?ra=1&dec={{}}&layer=sdss&pixscale=1&size=64"
    with Client(200, 3, 5, 0.01) as client:
        first = threading.Thread(target=client.get, args=(url.format(1), len))
        first.start()
        time.sleep(0.3)
        client.get(url.format(2), len)
        first.join()
    assert min(sky.times[1:]) - sky.times[0] >= 0.95


def test_a_server_that_asks_for_hours_is_not_waited_for(get, sky):
    began = time.monotonic()
    with pytest.raises(FetchError, match="asks to wait 7200 s"):
        get("429 7200")
    assert time.monotonic() - began < 2
    assert len(sky.requests) == 1


def test_a_slow_server_is_not_waited_for_for_ever(get):
    with pytest.raises(FetchError, match=r"no answer within 0.2 s"):
        get("slow 1", attempts=1, timeout=0.2)
    assert get("slow 1", attempts=2, timeout=0.5) > 500


def test_nobody_there(sky):
    with Client(200, 2, 1, 0.01) as client, pytest.raises(FetchError, match="connection failed") as caught:
        client.get("http://127.0.0.1:9/", len)
    assert caught.value.is_trouble


def test_requests_keep_the_rate():
    pace, turns = Pace(20), []

    def go():
        for _ in range(4):
            pace.wait()
            turns.append(time.monotonic())

    threads = [threading.Thread(target=go) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(turns) - min(turns) >= 11 / 20 - 0.02


def test_a_stopped_client_waits_no_longer():
    client = Client(0.01, 5, 60)
    client.take_turn()
    threading.Timer(0.2, client.stop).start()
    began = time.monotonic()
    with client, pytest.raises(FetchError, match="interrupted"):
        client.take_turn()
    assert time.monotonic() - began < 2
