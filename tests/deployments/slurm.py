"""A Slurm cluster of one node on this machine, with its own folder and free ports."""

import contextlib
import os
import shutil
import subprocess
import time

import psutil
import pytest

from tests.conftest import free_port

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
SETTINGS = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={controller}
SlurmdPort={daemon}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1,requeue_delay=0
KillWait=2
MinJobAge=600
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 Port={daemon} CPUs={cores} State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@contextlib.contextmanager
def running_slurm(folder):
    """Run a cluster until the block ends; yields the environment of its commands."""
    path = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])
    missing = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    if missing:
        pytest.skip(f"{missing[0]} is not installed (Debian's packages munge and slurm-wlm)")
    if os.getuid() != 0:
        pytest.skip("Slurm's daemons run as root")
    environment = os.environ | {"PATH": path, "SLURM_CONF": str(folder / "slurm.conf")}
    _write_settings(folder)
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o600)
    munged = ["munged", "--foreground", "--force"]
    munged += [f"--{name}-file={folder}/munge.{name}" for name in ("key", "pid", "seed", "log")]
    commands = [
        [*munged, f"--socket={folder}/munge.socket"],
        ["slurmctld", "-D", "-f", folder / "slurm.conf"],
        ["slurmd", "-D", "-f", folder / "slurm.conf"],
    ]
    started = []
    with (folder / "daemons.log").open("w") as log:
        try:
            for command in commands:
                started.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
                time.sleep(0.5)
            _wait_for_node(environment, folder)
            yield environment
        finally:
            subprocess.run(["scancel", "--full", "--user", str(os.getuid())], env=environment, check=False)
            _stop(started)


def _write_settings(folder):
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    text = SETTINGS.format(
        host=os.uname().nodename.split(".")[0],
        user="root",
        folder=folder,
        controller=free_port(),
        daemon=free_port(),
        cores=os.cpu_count(),
    )
    (folder / "slurm.conf").write_text(text)


def _wait_for_node(environment, folder):
    for _ in range(300):
        asked = subprocess.run(
            ["sinfo", "--noheader", "--format=%T"], env=environment, capture_output=True, text=True, check=False
        )
        if asked.stdout.strip() == "idle":
            return
        time.sleep(0.1)
    logs = "\n".join(path.read_text()[-2000:] for path in folder.glob("*.log"))
    pytest.fail(f"the node is not idle: {asked.stdout}{asked.stderr}\n{logs}")


def _stop(started):
    for process in reversed(started):
        children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        if process.poll() is None:
            process.kill()
            process.wait()
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
