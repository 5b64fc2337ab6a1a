"""Fixtures that several folders of tests share."""

import hashlib
import os
import secrets
import socket
import subprocess
import sys
import time
from pathlib import Path

import boto3
import numpy as np
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
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
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory):
    """A real S3 server on a folder, with credentials of its own in the environment; gives its folder."""
    folder = tmp_path_factory.mktemp("s3")
    access, secret = secrets.token_hex(10), secrets.token_hex(20)
    port = free_port()
    server = subprocess.Popen(
        [Path(sys.executable).parent / "rclone", "serve", "s3", folder, "--addr", f"127.0.0.1:{port}", "--config", ""],
        env=os.environ | {"RCLONE_AUTH_KEY": f'"{access},{secret}"'},
        stderr=subprocess.DEVNULL,
    )
    environment = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": access,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        client = boto3.client("s3", config=Config(retries={"total_max_attempts": 1}, connect_timeout=1))
        for _ in range(100):
            try:
                client.create_bucket(Bucket="tests")
                break
            except (BotoCoreError, ClientError):
                time.sleep(0.1)
        else:
            pytest.fail("the object store did not start")
        yield folder
    server.terminate()
    server.wait(10)


@pytest.fixture
def s3_uri(s3_server, request):
    """A prefix of its own in the bucket of the real S3 server."""
    return f"s3://tests/{hashlib.sha256(request.node.name.encode()).hexdigest()[:16]}"
