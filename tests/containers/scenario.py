"""The service in containers, from the files of docker/, executed without a container engine.

`python -m tests.containers.scenario [--install]`, as root, in the project. It builds both images, starts the services
of compose.yaml on Debian's PostgreSQL and on an S3 server outside us-east-1 that knows only a role with the documented
policy, runs inclinet/full, and checks what the documentation promises. Without --install, the images' packages are
those of this Python's environment, and tini is a script; with it, those of the image `cpu` are installed as the
Dockerfile says.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.conftest import ROOT, disc, write_catalog
from tests.containers.compose import compose
from tests.containers.engine import Engine, Image

DOCKER = ROOT / "docker"
REGION = "eu-central-1"
SETTINGS = {
    "POSTGRES_PASSWORD": 'of the database: it\'s "quoted" & long',
    "PREFECT_AUTH_STRING": "operator:secret",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_ENDPOINT_URL": "http://elsewhere:9000",
}
TINY = {
    "size": 24,
    "sample": {"images": "/input/galaxies", "catalog": "/input/catalog.csv", "bands": ["g"]},
    "split": {"niter": 0},
    "augment": {"nbatch": 1, "batchsize": 2},
    "train": {"N_batch_iter": 1, "training_batch_size": 16},
}
STORE = """
import json, sys, time, boto3
from moto.core import authorization
from moto import settings
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("0.0.0.0", 9000, verbose=False)
server.start()
how = {"endpoint_url": "http://127.0.0.1:9000", "region_name": "us-east-1", "aws_access_key_id": "a",
       "aws_secret_access_key": "a"}
iam = boto3.client("iam", **how)
iam.create_user(UserName="worker")
iam.put_user_policy(UserName="worker", PolicyName="inclinet", PolicyDocument=sys.argv[1])
key = iam.create_access_key(UserName="worker")["AccessKey"]
open("/tmp/key.json", "w").write(json.dumps({name: key[name] for name in ("AccessKeyId", "SecretAccessKey")}))
settings.INITIAL_NO_AUTH_ACTION_COUNT = 0.0
time.sleep(1e6)
"""
POSTGRES = r"""
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
if [ ! -s data/PG_VERSION ]; then
    printf %s "$POSTGRES_PASSWORD" > /tmp/password
    "$bin/initdb" -D data -U "$POSTGRES_USER" --pwfile=/tmp/password -A scram-sha-256 >/dev/null
    echo "host all all all scram-sha-256" >> data/pg_hba.conf
    "$bin/pg_ctl" -D data -w -o "-k /tmp -c listen_addresses=''" start >/dev/null
    PGPASSWORD=$POSTGRES_PASSWORD "$bin/createdb" -h /tmp -U "$POSTGRES_USER" -O "$POSTGRES_USER" "$POSTGRES_DB" || true
    "$bin/pg_ctl" -D data -w stop >/dev/null
fi
exec "$bin/postgres" -D data -k /tmp -c 'listen_addresses=*'
"""


def policy():
    """Return the documented policy, with the bucket of this scenario, and what creates it."""
    page = (ROOT / "docs" / "operations.md").read_text()
    [text] = re.findall(r"```json\n(\{\n *\"Version\".*?\n\})\n```", page, re.DOTALL)
    text = text.replace("BUCKET/PREFIX/*", "inclinet/*").replace("BUCKET", "inclinet").replace("PREFIX/*", "*")
    statements = json.loads(text.replace("INPUT", "inclinet"))
    statements["Statement"].append(
        {"Effect": "Allow", "Action": "s3:CreateBucket", "Resource": "arn:aws:s3:::inclinet"}
    )
    return json.dumps(statements)


def borrow(engine, install):
    """Let images use the packages of this environment, in place of those that the Dockerfile installs.

    With `install`, only the image of the GPU worker does, whose CUDA packages are some gigabytes.
    """
    packages = next((Path(sys.prefix).resolve() / "lib").glob("python3*/site-packages"))
    folder = "$(echo /opt/venv/lib/python3*/site-packages)"
    take = [
        f"echo {packages} > {folder}/borrowed.pth",
        "printf '#!/bin/sh\\nexec /opt/venv/bin/python -m prefect \"$@\"\\n' > /opt/venv/bin/prefect",
        "chmod +x /opt/venv/bin/prefect",
    ]
    which = "gpu" if install else "(cpu|gpu)"
    engine.replaced = {
        f"dependencies-{which}: uv pip install": " && ".join(take),
        f"{which}: pip --python": f"echo /opt/inclinet > {folder}/inclinet.pth",
    }
    if not install:
        engine.replaced["dependencies: pip install"] = "python -m venv --without-pip /opt/venv"
        # Stands for Debian's package: takes the options of the charts, and starts what they name.
        script = r"""'#!/bin/sh\n[ "$1 $2" = "-g --" ] && shift 2 && exec "$@"\n'"""
        engine.replaced["runtime: apt-get"] = f"printf {script} > /usr/bin/tini && chmod +x /usr/bin/tini"


def sample(folder):
    """Write images of some discs and their catalogue."""
    from PIL import Image as Picture

    (folder / "galaxies").mkdir(parents=True)
    rows = [{"pgc": pgc, "inc": 45 + pgc % 46, "inc_flg": 0} for pgc in range(1, 61)]
    for row in rows:
        picture = Picture.fromarray(disc(48, row["inc"], angle=row["pgc"])[..., 0])
        picture.save(folder / "galaxies" / f"pgc{row['pgc']}_d25x2_rot_g.png")
    write_catalog(folder / "catalog.csv", rows)
    subprocess.run(["chmod", "-R", "a+rX", folder], check=True)


def scenario(install):
    """Build, start, run, check."""
    folder = Path(tempfile.mkdtemp(prefix="inclinet-containers-"))
    folder.chmod(0o755)
    engine = Engine(folder, ROOT)
    engine.shared.append(Path(sys.prefix).resolve())
    borrow(engine, install)
    images = {target: engine.build(DOCKER / "Dockerfile", target) for target in ("cpu", "gpu")}
    print("images built", flush=True)
    try:
        execute(engine, images, folder)
    finally:
        engine.stop()


def execute(engine, images, folder):
    """Start the services in the order of compose.yaml, and check them."""
    volumes = {name: folder / "volumes" / name for name in ("results", "cache", "input", "config", "postgres")}
    for volume in volumes.values():
        volume.mkdir(parents=True)
    sample(volumes["input"])
    (volumes["config"] / "retrain.yaml").write_text("size: 32\n")
    volumes |= {"./input": volumes["input"], "./config": volumes["config"]}
    engine.network(["elsewhere", "postgres", "prefect-server", "setup", "again", "worker-cpu", "worker-gpu"])

    own = Path(sys.prefix).resolve()
    plain = Image(layers=images["cpu"].layers, env=images["cpu"].env | {"HOME": "/tmp"}, user=10_000, workdir="/tmp")
    engine.start("elsewhere", plain, {"command": [str(own / "bin/python"), "-c", STORE, policy()]}, {})
    key = json.loads(wait_for(engine, "elsewhere", "/tmp/key.json"))
    keys = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    services = compose([DOCKER / "compose.yaml"], SETTINGS | keys)

    postgres = services["postgres"] | {"command": ["sh", "-euc", POSTGRES], "volumes": []}
    engine.start("postgres", plain, postgres, {})
    engine.wait_healthy(
        "postgres", ["sh", "-c", "$(ls -d /usr/lib/postgresql/*/bin | tail -1)/pg_isready -h 127.0.0.1"]
    )
    print("postgres is healthy", flush=True)

    engine.start("prefect-server", images["cpu"], services["prefect-server"], volumes)
    engine.wait_healthy("prefect-server", services["prefect-server"]["healthcheck"]["test"][1:])
    print("prefect-server is healthy", flush=True)
    check_server(engine)

    engine.start("setup", images["cpu"], services["setup"], volumes)
    engine.wait_ended("setup")
    said = engine.tail("setup")
    assert "inclinet/retrain: created" in said, said
    engine.start("again", images["cpu"], services["setup"], volumes)
    engine.wait_ended("again")
    assert "created" not in engine.tail("again"), engine.tail("again")
    print("setup completed, twice", flush=True)

    for target in ("cpu", "gpu"):
        engine.start(f"worker-{target}", images[target], services[f"worker-{target}"], volumes)
    for target in ("cpu", "gpu"):
        engine.wait_healthy(f"worker-{target}", images[target].health)
    print("workers are healthy", flush=True)

    said = engine.run(
        "worker-cpu", "prefect", "deployment", "run", "inclinet/full", "--watch", "--params", json.dumps(TINY)
    )
    assert "Completed" in said, said
    print(said.strip().splitlines()[-1], flush=True)
    check_store(engine)
    check_processes(engine)
    check_charts(engine)
    assert any(volumes["cache"].iterdir()), "the cache is not in its volume"


def wait_for(engine, name, path):
    """Wait for a file in a container; return its content."""
    engine.wait_healthy(name, ["test", "-s", path])
    return engine.run(name, "cat", path)


def check_server(engine):
    """The UI is there, the API lets nobody in without the auth string, and has figures for Prometheus."""
    code = """
import sys, httpx
user, _, password = sys.argv[2].partition(":")
print(httpx.get(sys.argv[1], auth=(user, password) if user else None, follow_redirects=True).status_code)
"""
    answers = {"/": "200", "/v2": "200", "/api/health": "200", "/api/admin/version": "401", "/api/metrics": "200"}
    for path, status in answers.items():
        auth = SETTINGS["PREFECT_AUTH_STRING"] if path == "/api/metrics" else ""
        found = engine.run("prefect-server", "python", "-c", code, f"http://prefect-server:4200{path}", auth).strip()
        assert found == status, f"{path}: {found}, not {status}\n{engine.tail('prefect-server')}"
    assert "postgresql" in engine.run("prefect-server", "prefect", "config", "view", "--show-sources", check=False)


def check_store(engine):
    """The bucket is in the region that was set, and its role may not list buckets."""
    code = "import boto3; s3 = boto3.client('s3'); print(s3.list_objects_v2(Bucket='inclinet')['KeyCount'])"
    assert int(engine.run("worker-cpu", "python", "-c", code)) > 10
    code = "import boto3; boto3.client('s3').list_buckets()"
    assert "AccessDenied" in engine.run("worker-cpu", "python", "-c", code, check=False)


def check_processes(engine):
    """Nothing of the images' runs as root."""
    for name in ("prefect-server", "worker-cpu", "worker-gpu"):
        assert engine.run(name, "id", "-u").strip() == "10000"


def check_charts(engine):
    """The image has what Prefect's charts start, in a folder of theirs, and the documented command works there."""
    start = ["env", "--chdir=/tmp", "/usr/bin/tini", "-g", "--", "/opt/prefect/entrypoint.sh"]
    assert "API version" in engine.run("worker-cpu", *start, "prefect", "version")
    page = (ROOT / "docs" / "operations.md").read_text()
    [command] = re.findall(r"^kubectl exec deployment/inclinet-worker-cpu -- (.+)$", page, re.MULTILINE)
    said = engine.run("worker-cpu", "env", "--chdir=/tmp", *command.split())
    assert "created" not in said, said


if __name__ == "__main__":
    if os.environ.get("INCLINET_SCENARIO") != "inside":
        # A mount namespace of its own: all mounts go with it.
        os.execvpe("unshare", ["unshare", "--mount", *sys.orig_argv], os.environ | {"INCLINET_SCENARIO": "inside"})
    scenario("--install" in sys.argv)
