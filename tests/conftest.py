"""Fixtures that several folders of tests share."""

import hashlib
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared():
    """The folder of real data that stands beside the project, if it does."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real galaxies of ../shared/data are not here")
    return folder


def write_catalog(path: Path, rows: list[dict]) -> Path:
    """Write rows in the catalogue's format; the columns are those of the first row."""
    names = list(rows[0])
    lines = [" | ".join(names)] + [" | ".join(str(row.get(name, "")) for name in names) for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def disc(size: int, inclination: float, *, channels: int = 3, angle: float = 0.0) -> np.ndarray:
    """Return an image, uint8, of a smooth disc at an inclination (deg): an ellipse with a thin disc's axis ratio."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    u, v = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
    q = np.sqrt(np.cos(np.radians(inclination)) ** 2 * 0.96 + 0.04)
    light = 230 * np.exp(-0.5 * (u**2 + (v / q) ** 2) / (0.1 * size) ** 2)
    image = light.round().astype(np.uint8)
    return np.repeat(image[..., None], 3, axis=2) if channels == 3 else image


@pytest.fixture
def sky(monkeypatch):
    """A stand-in for the image servers that the environment names, with one galaxy."""
    from tests.inclinet.cutouts.stand_in import VARIABLES, Galaxy, running_stand_in

    with running_stand_in() as sky:
        for name, path in VARIABLES.items():
            monkeypatch.setenv(name, sky.url + path)
        sky.galaxies["NGC 2841"] = Galaxy(140.51, 50.98, 8.1, 147)
        yield sky


@pytest.fixture(scope="session")
def small_sample(tmp_path_factory):
    """Images of 60 plain discs in four bands, and their catalogue: quick to process, and easy to learn."""
    folder = tmp_path_factory.mktemp("sample")
    rng = np.random.default_rng(3)
    rows = []
    (folder / "galaxies").mkdir()
    for pgc in range(1, 61):
        inclination = int(rng.integers(45, 91))
        rows.append({"pgc": pgc, "inc": inclination, "inc_flg": 0, "fon": "", "inc_note": "", "b_a": 0.5})
        image = disc(48, inclination, angle=rng.uniform(0, np.pi))
        Image.fromarray(image).save(folder / "galaxies" / f"pgc{pgc}_d25x2_rot_gri.sdss.jpg", quality=95)
        for band in "gri":
            Image.fromarray(255 - image[..., 0]).save(folder / "galaxies" / f"pgc{pgc}_d25x2_rot_{band}.png")
    write_catalog(folder / "catalog.csv", rows)
    return folder


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on, from the range of this process of pytest-xdist."""
    from deployments.ports import free_port as draw_port

    start = 20_000 + 1000 * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 12)
    return draw_port(range(start, start + 1000))


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory):
    """A real S3 server on a folder, with credentials of its own in the environment; gives its folder."""
    pytest.importorskip("psutil", reason="needs the extra `service`")
    from deployments.object_store import running_object_store
    from deployments.processes import FOREIGN

    folder = tmp_path_factory.mktemp("s3")
    with running_object_store(folder, "tests") as environment, pytest.MonkeyPatch.context() as patch:
        for name in FOREIGN:
            patch.delenv(name, raising=False)
        for name, value in environment.items():
            patch.setenv(name, value)
        yield folder


@pytest.fixture
def s3_uri(s3_server, request):
    """A prefix of its own in the bucket of the real S3 server."""
    return f"s3://tests/{hashlib.sha256(request.node.name.encode()).hexdigest()[:16]}"


@pytest.fixture
def browser():
    """A headless Chromium, driven by Playwright: Debian's, or the one that the environment names."""
    api = pytest.importorskip("playwright.sync_api", reason="needs Playwright's Python client")
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("needs Chromium: apt install chromium")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def homes():
    """A folder for each of two ordinary users, which no other may enter, in one that all may enter."""
    from tests.users import USERS

    folder = Path(tempfile.mkdtemp(prefix="inclinet-users-"))
    folder.chmod(0o755)
    for user in USERS:
        home = folder / str(user)
        home.mkdir(mode=0o700)
        with suppress(PermissionError):  # only root gives folders away; the tests are skipped for others
            os.chown(home, user, user)
    yield {user: folder / str(user) for user in USERS}
    shutil.rmtree(folder, ignore_errors=True)
