"""Uploads and requests that are wrong, or meant to harm."""

import gzip
import io
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from astropy.io import fits

from tests.inclinet.serve.conftest import files, jpeg

MIB = 2**20


def png(width, height):
    """Return a PNG that says it is so large, and holds next to nothing."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * (3 * width + 1) * min(height, 1000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def fits_file(*hdus):
    content = io.BytesIO()
    fits.HDUList(list(hdus)).writeto(content)
    return content.getvalue()


IMAGE = np.random.default_rng(1).normal(size=(64, 64)).astype(np.float32)
HOSTILE = {
    "PNG of 900 million pixels": ("a.png", png(30_000, 30_000), "pixels are too many"),
    "PNG of 25 million pixels": ("a.png", png(5000, 5000), "5,000×5,000 pixels are too many: 12 million are the most"),
    "gzip of 300 MB": ("a.fits.gz", gzip.compress(b"SIMPLE  =" + b"\0" * 300_000_000, 9), "unpacks to more than"),
    "half a gzip": ("a.fits.gz", gzip.compress(fits_file(fits.PrimaryHDU(IMAGE)))[:500], "a.fits.gz: "),
    "tile-compressed FITS": ("a.fz", fits_file(fits.PrimaryHDU(), fits.CompImageHDU(IMAGE)), "tile-compressed"),
    "FITS of many extensions": ("a.fits", fits_file(*[fits.PrimaryHDU(), *[fits.ImageHDU()] * 40]), "extensions"),
    "FITS of a table": ("a.fits", fits_file(fits.PrimaryHDU(), fits.BinTableHDU()), "without an image"),
    "cube of 50 planes": ("a.fits", fits_file(fits.PrimaryHDU(np.zeros((50, 9, 9), np.float32))), "a cube of"),
    "empty file": ("a.png", b"", "the file is empty"),
    "half a JPEG": ("a.jpg", jpeg()[:900], "not a readable image"),
    "program": ("a.exe", b"\x7fELF" + bytes(999), "not a readable image; give PNG, JPEG, FITS"),
    "pickle": ("model.pkl", b"\x80\x04\x95\x10\0\0\0\0\0\0\0cos\nsystem\n", "not a readable image"),
    "SVG": ("a.svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>', "not a readable image"),
    "VOTable that names a file": (
        "a.csv",
        b"<?xml version='1.0'?><VOTABLE><STREAM href='file:///etc/passwd'/></VOTABLE>",
        "give the catalogue as text",
    ),
    "FITS table called CSV": ("a.csv", fits_file(fits.PrimaryHDU()), "give the catalogue as text"),
    "packed catalogue": ("a.csv", gzip.compress(b"pgc\n" * 999), "give the catalogue as text"),
    "catalogue of 300,000 columns": ("a.csv", b",".join(b"a%d" % n for n in range(300_000)), "has a line of more than"),
    "catalogue of 400,000 rows": ("a.csv", b"pgc,inc\n" + b"1,50\n" * 400_000, "5,000 rows at most"),
    "catalogue of 6 MB": ("a.csv", b"pgc,inc\n" + b"1,50\n" * 1_200_000, "too large for a catalogue"),
    "catalogue without names": ("a.csv", b"a,b\n1,2\n", "a.csv: no column 'pgc' or 'name'"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_uploads_are_refused_with_the_reason(client, name):
    file, content, reason = HOSTILE[name]
    done = client.post("/api/predict", files=files((file, content)))
    assert done.status_code == 422, done.text
    assert reason in done.json()["detail"]
    assert "/tmp" not in done.text


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../etc/passwd.jpg", "passwd.jpg"),
        (r"C:\secret\a.jpg", "a.jpg"),
        ("<img src=x onerror=alert(1)>.jpg", "<img src=x onerror=alert(1)>.jpg"),
        ("..", "image"),
        ("a;b.jpg", "a,b.jpg"),
        ("a" * 500 + ".jpg", "a" * 146 + ".jpg"),
    ],
)
def test_names_are_names_not_paths(client, given, shown):
    [answer] = client.post("/api/predict", files=files((given, jpeg()))).json()["answers"]
    assert answer["title"] == shown


def test_the_same_name_twice_is_two_images(client):
    answers = client.post("/api/predict", files=files(("a.jpg", jpeg(50)), ("a.jpg", jpeg(80)))).json()["answers"]
    assert [one["title"] for one in answers] == ["a.jpg", "a (2).jpg"]


FORM = {"Content-Type": "multipart/form-data; boundary=x"}


@pytest.mark.parametrize(
    ("content", "headers", "status", "reason"),
    [
        (b"x", {}, 415, "as a form"),
        (b"x", FORM, 400, "the form cannot be read"),
        (b"x", {"Content-Type": "multipart/form-data"}, 400, "boundary"),
        (b"--x--\r\n", FORM, 422, "there is no file"),
        (iter([b"x"]), FORM, 411, "Content-Length"),
        (b"", {**FORM, "Content-Length": "many"}, 400, "is no number"),
        (b"", {**FORM, "Content-Length": str(2**40)}, 413, "is too large: 32 MiB may come at once"),
    ],
)
def test_wrong_requests_are_refused_with_the_reason(client, content, headers, status, reason):
    done = client.post("/api/predict", content=content, headers=headers)
    assert done.status_code == status, done.text
    assert reason in done.json()["detail"]


def test_too_many_images_and_two_catalogues(open_client):
    client = open_client(max_images=3)
    done = client.post("/api/predict", files=files(*((f"{n}.jpg", b"x") for n in range(5))))
    assert done.status_code == 413
    assert "more than 3 images" in done.json()["detail"]
    done = client.post("/api/predict", files=files(("a.csv", b"pgc\n1\n"), ("b.csv", b"pgc\n1\n")))
    assert "2 catalogues" in done.json()["detail"]


def test_tables_take_nothing_but_answers(client):
    for rows in ([{"secret": 1}], [{"galaxy": {"a": 1}}], [], [1]):
        assert client.post("/api/table", json={"rows": rows}).status_code == 422


def test_other_hosts_names_and_paths_are_refused(client):
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400
    for path in ("/static/../application.py", "/static/..%2fapplication.py", "/static/%2e%2e/settings.py"):
        assert client.get(path).status_code == 404


def test_with_a_token_nothing_is_told_without_it(open_client):
    client = open_client(token="open-sesame")
    for path in ("/api/version", "/metrics", "/api/galaxy?name=x"):
        for headers in ({}, {"Authorization": "Bearer open"}):
            done = client.get(path, headers=headers)
            assert done.status_code == 401
            assert "Authorization: Bearer TOKEN" in done.json()["detail"]
    assert client.post("/api/predict", files=files(("a.jpg", jpeg()))).status_code == 401
    known = {"Authorization": "Bearer open-sesame"}
    assert client.post("/api/predict", files=files(("a.jpg", jpeg())), headers=known).status_code == 200
    assert client.get("/health").status_code == client.get("/").status_code == 200


def test_a_gigabyte_is_refused_before_it_is_read(server):
    process, address = server
    before = psutil.Process(process.pid).memory_info().rss
    gigabyte = (bytes(MIB) for _ in range(1024))
    done = httpx.post(
        f"{address}api/predict", content=gigabyte, headers={**FORM, "Content-Length": str(2**30)}, timeout=120
    )
    assert done.status_code == 413
    assert "1,024 MiB is too large" in done.json()["detail"]
    assert psutil.Process(process.pid).memory_info().rss < before + 50 * MIB


def test_twenty_clients_with_hostile_uploads_leave_the_memory_flat(server):
    process, address = server
    good = ("good.jpg", jpeg())
    uploads = [good, *((name, content) for name, content, _ in HOSTILE.values()), ("noise.jpg", bytes(30 * MIB))]

    def post(upload):
        return httpx.post(f"{address}api/predict", files=files(upload), timeout=300).status_code

    memory = []
    with ThreadPoolExecutor(20) as clients:
        assert list(clients.map(post, [good] * 20)) == [200] * 20
        for _ in range(10):
            assert list(clients.map(post, uploads)) == [200] + [422] * (len(uploads) - 1)
            memory.append(psutil.Process(process.pid).memory_info().rss)
    # A round may keep what it freed for those that follow: what grows shows in the least of them.
    assert min(memory[5:]) < max(memory[:5]) + 50 * MIB
    assert max(memory) < 1000 * MIB
    opened = [file.path for file in psutil.Process(process.pid).open_files()]
    assert not [path for path in opened if Path(path).name.startswith(("inclinet-", "tmp"))]
    assert post(good) == 200
