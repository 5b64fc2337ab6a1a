"""The demo: its options, its sample, and what it says in the end."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("psutil", reason="needs the extra `service`")
pytest.importorskip("prefect", reason="needs the extra `service`")

from deployments import demo as module
from deployments import sample
from deployments.sample import choose_sample, parse_bands, upload_sample
from deployments.settings import BUCKET, Service
from deployments.terminal import run_commands
from inclinet.errors import InclinetError
from inclinet.registry.champion import promote
from inclinet.registry.versions import VersionInfo, publish
from inclinet.storage.addresses import open_store
from tests.conftest import ROOT, free_port


@pytest.fixture
def images(tmp_path):
    """A folder of images, by their names, and a catalogue."""
    folder = tmp_path / "galaxies"
    folder.mkdir()
    for name in ("pgc1_x_gri.sdss.jpg", "pgc2_x_g.png", "pgc3_x_g.png", "pgc4_y_r.png", "notes.txt"):
        (folder / name).write_bytes(name.encode())
    (folder / "catalog.csv").write_text("pgc | inc\n1 | 60\n")
    return folder


@pytest.mark.parametrize("text", ["g,gri", "g, gri", " g ,gri,, ", "g,g,gri", "gri, g"])
def test_bands_are_separated_by_commas_and_blanks_in_any_order(text):
    assert parse_bands(text) == ("g", "gri")


@pytest.mark.parametrize(("text", "reason"), [("g, 4u", "should match"), ("RGB", "called gri"), (" , ", "no band")])
def test_what_cannot_be_bands_is_refused(text, reason):
    with pytest.raises(InclinetError, match=reason) as caught:
        parse_bands(text)
    assert caught.value.setting == "bands"


def test_a_folder_of_images_is_a_sample(images):
    chosen = choose_sample(images, None, None, None)
    assert (chosen.imroot, chosen.bands, chosen.catalog) == ("x", ("g", "gri"), images / "catalog.csv")
    assert chosen.files.keys() == {
        "catalog.csv",
        "galaxies/pgc1_x_gri.sdss.jpg",
        "galaxies/pgc2_x_g.png",
        "galaxies/pgc3_x_g.png",
    }
    assert choose_sample(images, None, "y", None).bands == ("r",)


@pytest.mark.parametrize(
    ("options", "reason", "setting"),
    [
        (["--images=nowhere"], "nowhere: no such folder of images", "IMAGES"),
        (["--images=galaxies/notes.txt"], "notes.txt: no such folder of images", "IMAGES"),
        (["--images=empty"], "no image is named like pgc<ID>_<root>_gri.jpg", "IMAGES"),
        (["--images=galaxies", "--catalog=nowhere.csv"], "nowhere.csv: no such catalogue", "CATALOG"),
        (["--images=galaxies", "--catalog=galaxies"], "galaxies: no such catalogue", "CATALOG"),
        (["--images=galaxies", "--imroot=z"], "no image is named like pgc<ID>_z_gri.jpg", "IMROOT"),
        (["--images=galaxies", "--bands=g, u"], "no image of the band u, only of g, gri", "BANDS"),
        (["--images=galaxies", "--bands=g, i"], "no image of the band i, only of g, gri", "BANDS"),
        (["--bands=g u"], "bands g u: String should match pattern", "BANDS"),
        (["--catalog=galaxies/catalog.csv"], "needs a folder of images", "IMAGES"),
        (["--imroot=x"], "needs a folder of images", "IMAGES"),
        (["--prefect-port=4x"], "Invalid value for '--prefect-port'", None),
        (["--store-port=0"], "Invalid value for '--store-port'", None),
    ],
)
def test_wrong_options_end_in_one_line_before_anything_starts(capsys, monkeypatch, images, options, reason, setting):
    monkeypatch.chdir(images.parent)
    (images.parent / "empty").mkdir()
    monkeypatch.setattr(module, "up", lambda *_, **__: pytest.fail("these options were accepted"))
    monkeypatch.setattr(sys, "argv", ["demo", *options])
    with pytest.raises(SystemExit) as exit_:
        run_commands(module.app)
    assert exit_.value.code == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert reason in err
    assert setting is None or f"{setting}=" in err


def test_a_root_that_flows_refuse_is_one_error(images):
    (images / "pgc5_a b_g.png").touch()
    with pytest.raises(InclinetError, match="imroot"):
        choose_sample(images, None, "a b", None)


class Bucket:
    """As much of an S3 client as an upload needs."""

    def __init__(self):
        self.objects, self.uploads = {}, 0

    def get_paginator(self, _):
        return self

    def paginate(self, Bucket, Prefix):
        found = {key: body for key, body in self.objects.items() if key.startswith(Prefix)}
        yield {
            "Contents": [
                {"Key": key, "ETag": f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'}
                for key, body in found.items()
            ]
        }

    def put_object(self, Bucket, Key, Body):
        self.objects[Key] = Body
        self.uploads += 1

    def delete_object(self, Bucket, Key):
        del self.objects[Key]


@pytest.fixture
def service(tmp_path):
    return Service(tmp_path / "state", ROOT, 4200, 9000)


def test_an_upload_sends_what_changed_and_removes_what_is_gone(monkeypatch, images):
    bucket = Bucket()
    service = type("Service", (), {"store": type("Store", (), {"client": lambda self: bucket})()})()
    monkeypatch.setattr(sample, "track", lambda items, *_: items)
    parameter = upload_sample(service, choose_sample(images, None, None, None))
    assert parameter.bands == ("g", "gri")
    assert bucket.uploads == 4
    prefix = parameter.images.removesuffix("/galaxies")
    assert bucket.objects.keys() == {f"{prefix}/{name}" for name in choose_sample(images, None, None, None).files}
    (images / "pgc2_x_g.png").unlink()
    (images / "pgc3_x_g.png").write_bytes(b"another")
    upload_sample(service, choose_sample(images, None, None, None))
    assert bucket.uploads == 5
    assert f"{parameter.images}/pgc2_x_g.png" not in bucket.objects
    assert bucket.objects[f"{parameter.images}/pgc3_x_g.png"] == b"another"


@pytest.fixture
def published(service, tmp_path):
    """Two versions in the service's store, neither in use."""
    store = open_store(str(service.folder / "store" / BUCKET))
    versions = []
    for content in (b"old", b"new"):
        folder = tmp_path / content.decode()
        folder.mkdir()
        (folder / "Uset_000_model4.keras").write_bytes(content)
        versions.append(publish(store, folder, VersionInfo(size=64, bands=("c",), simulated=True)).version)
    return store, *versions


def closing_lines(capsys, service, message):
    module._show_version(service, message)
    return capsys.readouterr().out


def test_the_demo_says_how_to_predict_with_a_version_in_use(capsys, service, published):
    store, _, new = published
    promote(store, new, "it is the first")
    out = closing_lines(capsys, service, f"published {new}; in use is {new}. Version {new}: trained on mocks")
    assert f"published {new}; in use is {new}. Version {new}: trained on mocks" in " ".join(out.split())
    assert "inclinet predict IMAGES" in out
    assert "promote" not in out


@pytest.mark.parametrize("other", [True, False])
def test_the_demo_says_how_to_put_a_version_into_use(capsys, service, published, other):
    store, old, new = published
    if other:
        promote(store, old, "it is the first")
    out = closing_lines(capsys, service, f"published {new}; not in use: worse than the axis ratio")
    assert "not in use: worse than the axis ratio" in out
    assert f"inclinet predict --version {new} IMAGES" in out
    assert f"inclinet promote {new}" in out


@pytest.fixture
def shell(tmp_path):
    """A function that executes commands in a shell of its own, in a new folder with an installation."""
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "AWS_", "INCLINET_"))}

    def execute(commands):
        done = subprocess.run(
            ["bash", "-ec", commands],
            cwd=tmp_path,
            env=own | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=1400,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    yield execute
    execute(".venv/bin/python -m deployments.service down")


@pytest.mark.service
@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.xdist_group("deployments")
def test_the_whole_demo(shell, tmp_path):
    """What `make demo` starts, on a service with an auth string; then the command that it prints."""
    ports = f"--prefect-port {free_port()} --store-port {free_port()}"
    said = shell(f".venv/bin/python -m deployments.demo {ports}")
    assert (tmp_path / ".service" / "auth-string").exists()
    assert re.search(r"^result +\S", said, re.MULTILINE), said
    [command] = re.findall(r"^predict +(.+?) IMAGES", " ".join(said.split("\n  ")), re.MULTILINE)
    image = next((tmp_path / ".service" / "demo").glob("*_gri*"))
    answer = shell(f"{command} {image}")
    assert f"PGC {re.match('pgc([0-9]+)_', image.name)[1]} " in answer, answer
