"""A service on one machine, its workers on two others: network namespaces with addresses and host names of their own.

    unshare --user --map-root-user --mount --net python -m tests.deployments.machines FOLDER SAMPLE

This process is the machine with the service. The commands of the others are those of docs/machines.md; a forwarder
takes the place of `ssh -L`. While a network is trained, the machine with the GPU is cut off for a while.
"""

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.conftest import ROOT

CUT = 40  # s
PORTS = (4200, 9000)
PAGE = ROOT / "docs" / "machines.md"
TUNNEL = Path(__file__).with_name("tunnel.py")
TINY = {
    "size": 24,
    "sample": {"bands": ["gri"]},
    "split": {"niter": 1},
    "augment": {"nbatch": 2, "batchsize": 2},
    "train": {"models": ["model4"], "N_batch_iter": 10, "training_batch_size": 16},
}


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


def checkout(folder):
    """Copy what a machine has before its first command: the code, and an installation."""
    folder.mkdir(parents=True)
    for name in ("inclinet", "tasks", "flows", "deployments"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("prefect.yaml", "Makefile"):
        shutil.copy(ROOT / name, folder)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    return folder


def make(command):
    """Return a `make …` of the documentation, told that the installation is up to date."""
    words = shlex.split(command)
    return [words[0], "--no-print-directory", "--assume-old=.venv/.installed", *words[1:]]


class Machine:
    """Another machine, on a cable to this one."""

    def __init__(self, folder, name, number):
        self.folder, self.name, self.processes = checkout(folder / name), name, []
        self.log = self.folder / "log"
        self.log.touch()
        self.here, self.there, self.cable = f"10.77.{number}.1", f"10.77.{number}.2", f"to-{name}"
        ip("netns", "add", name)
        ip("link", "add", self.cable, "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("address", "add", f"{self.here}/24", "dev", self.cable)
        ip("link", "set", self.cable, "up")
        for command in (f"address add {self.there}/24 dev eth0", "link set eth0 up", "link set lo up"):
            ip("-netns", name, *command.split())

    def start(self, command):
        """Start a command on this machine."""
        named = ["unshare", "--uts", "sh", "-c", f'hostname {self.name}; exec "$@"', "sh", *command]
        own = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "AWS_"))}
        with self.log.open("a") as log:
            process = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{self.name}", *named],
                cwd=self.folder,
                env=own | {"PYTHONPATH": str(self.folder)},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes.append(process)

    def join(self, service, pool):
        """Do what the documentation says, so that this machine serves a work pool."""
        (command,) = re.findall(rf"^make worker POOL={pool}\b.*", PAGE.read_text(), re.MULTILINE)
        shutil.copy(service / "env.sh", self.folder / "service.sh")
        self.start([sys.executable, TUNNEL, *(f"127.0.0.1:{port}={self.here}:{port}" for port in PORTS)])
        self.start(make(command))

    def stop(self):
        for process in reversed(self.processes):  # the worker first, then its way to the server
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def environment_of(service):
    """Set the service's variables in this process, as `source .service/env.sh` does."""
    script = f". {service}/env.sh; env -0"
    text = subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True).stdout
    os.environ |= dict(entry.split("=", 1) for entry in text.split("\0") if entry)


def wait_for(what, description, seconds=300):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := what():
            print(description, flush=True)
            return found
        time.sleep(0.5)
    raise TimeoutError(f"not seen: {description}")


def upload(sample):
    """Bring the sample to the places where the flows look for it."""
    import boto3

    client = boto3.client("s3")
    client.upload_file(sample / "catalog.csv", "inclinet", "input/catalog.csv")
    for path in (sample / "galaxies").glob("*_gri.sdss.jpg"):
        client.upload_file(path, "inclinet", f"input/galaxies/{path.name}")


def follow(gpu, up):
    """Run inclinet/full, and cut the machine with the GPU off while it trains; returns the runs."""
    from prefect.client.orchestration import get_client
    from prefect.deployments import run_deployment

    from tests.service.runs import children_of

    def worker_of(run):
        return client.read_flow_run(run.id).labels.get("prefect.worker.name")

    with get_client(sync_client=True) as client:
        parent = run_deployment("inclinet/full", parameters=TINY, timeout=0)
        wait_for(lambda: any(one.state.is_running() for one in children_of(client, parent.id)), "a network is trained")
        ip("link", "set", gpu.cable, "down")
        print(f"the machine with the GPU is cut off for {CUT} s", flush=True)
        again = subprocess.Popen(up)  # which looks for runs whose process has died
        time.sleep(CUT)
        ip("link", "set", gpu.cable, "up")
        assert again.wait() == 0
        wait_for(lambda: client.read_flow_run(parent.id).state.is_final(), "the run has ended", 600)
        children = children_of(client, parent.id)
        return client.read_flow_run(parent.id), worker_of(parent), children, {worker_of(child) for child in children}


def main(folder, sample):
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    ip("link", "set", "lo", "up")
    first = checkout(folder / "first")
    os.chdir(first)
    os.environ["PYTHONPATH"] = str(first)
    machines = [Machine(folder, name, number) for number, name in enumerate(("node1", "node2"), 1)]
    forwards = [f"{one.here}:{port}=127.0.0.1:{port}" for one in machines for port in PORTS]
    tunnel = subprocess.Popen([sys.executable, TUNNEL, *forwards])
    (command,) = re.findall(r"^make up WORKERS=none\b.*", PAGE.read_text(), re.MULTILINE)
    try:
        subprocess.run(make(command), check=True)
        environment_of(first / ".service")
        upload(sample)
        for machine, pool in zip(machines, ("cpu", "gpu"), strict=True):
            machine.join(first / ".service", pool)
        parent, on, children, trained_on = follow(machines[1], make(command))
        print(f"{parent.state.name}: {parent.state.message}", flush=True)
        assert parent.state.is_completed()
        print(f"run by {on}, trained by {', '.join(sorted(trained_on))}", flush=True)
        assert on == "cpu-node1"
        assert trained_on == {"gpu-node2"}
        assert len(children) == 1  # it was not taken for dead, and trained twice
    finally:
        for machine in machines:
            machine.stop()
            print(f"--- {machine.name}\n{machine.log.read_text()[-6000:]}")
        subprocess.run(make("make down"), check=False)
        tunnel.kill()


if __name__ == "__main__":
    main(*(Path(argument).resolve() for argument in sys.argv[1:]))
