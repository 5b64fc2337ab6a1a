"""The jobs for a cluster: in order by hand, and by a real Slurm."""

import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from inclinet.networks.filenames import network_file
from inclinet.registry.versions import list_versions
from inclinet.storage.addresses import open_store
from inclinet.storage.claims import claim_folder
from inclinet.training.filenames import checkpoint_folder
from tests.conftest import ROOT

JOBS = ROOT / "deployments" / "hpc"
OPTIONS = """
SUBSAMPLES=1
OPTIONS+=(--impath {sample}/galaxies --catalog {sample}/catalog.csv --bands gri --modelNames model4 --size 24)
OPTIONS+=(--niter 1 --nbatch 2 --batchsize 2 --N_batch_iter {passes} --verbose)
inclinet() {{ {python} -m inclinet "$@"; }}
"""


@pytest.fixture
def jobs(tmp_path, small_sample):
    """A function that copies the jobs to a folder, with options for a small sample; returns the folder."""

    def copy(passes):
        folder = tmp_path / "jobs"
        shutil.copytree(JOBS, folder)
        text = OPTIONS.format(sample=small_sample, passes=passes, python=sys.executable)
        with (folder / "options.sh").open("a") as file:
            file.write(text)
        return folder

    return copy


@pytest.fixture
def environment(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("INCLINET_STORE", raising=False)
    return os.environ


def start(folder, job, task=None):
    """Start a job as Slurm would: in the folder from which it was submitted."""
    array = {} if task is None else {"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": str(task)}
    return subprocess.Popen(
        ["bash", folder / job],
        cwd=folder,
        env=os.environ | array,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def end(process):
    """Return exit code and output, in one line."""
    text = process.communicate()[0]
    return process.returncode, " ".join(text.split())


@pytest.mark.slow
def test_prepare_train_as_an_array_and_publish(jobs, environment):
    folder = jobs(passes=1)
    models = folder / "inclinet-out" / "24x24-gri" / "models"
    code, text = end(start(folder, "prepare.sbatch"))
    assert code == 0, text
    with claim_folder(models / checkpoint_folder(1, "model4")):
        tasks = [start(folder, "train.sbatch", task) for task in (0, 1)]
        (done, text), (refused, why) = map(end, tasks)
    assert done == 0, text
    assert refused == 1 and f"process {os.getpid()} on" in why, why
    assert sorted(path.name for path in models.glob("*.keras")) == [network_file(0, "model4")]
    for job, task in (("train.sbatch", 1), ("publish.sbatch", None)):
        code, text = end(start(folder, job, task))
        assert code == 0, text
    (version,) = list_versions(open_store(str(folder / "inclinet-out" / "24x24-gri")))
    assert version.info.steps == {"model4_0": 2, "model4_1": 2}


@pytest.fixture
def slurm(tmp_path, environment):
    """The environment of the commands of a real Slurm cluster on this machine."""
    from tests.deployments.slurm import running_slurm

    with running_slurm(tmp_path / "slurm") as settings:
        yield settings


def wait_for(what, seconds=300):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.2)
    return pytest.fail("it did not happen in time")


@pytest.mark.slow
def test_a_real_slurm_runs_the_chain_and_requeues_a_task(jobs, slurm):
    folder = jobs(passes=30)
    models = folder / "inclinet-out" / "24x24-gri" / "models"

    def call(*command):
        done = subprocess.run(command, env=slurm, capture_output=True, text=True, check=False, cwd=folder.parent)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    print(call(folder / "submit.sh", "--gres=none", "--mem=0", "--cpus-per-task=1"))
    array = next(word for word in call("squeue", "--noheader", "--array", "--format=%F_%K").split() if "_0" in word)
    wait_for(lambda: list((models / checkpoint_folder(0, "model4")).glob("step_*.npz")))
    call("scancel", "--signal=USR1", "--batch", array)  # what Slurm sends a minute before the time is over
    wait_for(lambda: not call("squeue", "--noheader", "--format=%i %T").strip())
    logs = {path.name: path.read_text() for path in folder.glob("*.log")}
    assert len(list_versions(open_store(str(models.parent)))) == 1, logs
    resumed = next(text for name, text in logs.items() if name.endswith("_0.log"))
    assert "resuming model4, subsample 0 after step" in " ".join(resumed.split()), logs


def sections():
    """Return the lines of every section of the Apptainer recipe by name."""
    parts = re.split(r"^%(\w+)\n", (JOBS / "inclinet.def").read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], (body.strip().splitlines() for body in parts[2::2]), strict=True))


def test_the_apptainer_recipe_copies_what_exists_and_installs_an_extra_that_exists():
    found = sections()
    for line in found["files"]:
        source, target = line.split()
        assert (ROOT / source).exists()
        assert target == f"/opt/inclinet/{source}"
    (extra,) = (line.strip().removeprefix("extra=") for line in found["arguments"])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert extra in project["project"]["optional-dependencies"]
    packages = project["tool"]["setuptools"]["packages"]["find"]["include"]
    assert {name.removesuffix("*") for name in packages} <= {line.split()[0] for line in found["files"]}


@pytest.mark.slow
def test_the_steps_of_the_apptainer_recipe(tmp_path):
    """With `/opt` elsewhere, and without TensorFlow for GPUs, which is 3 GB."""
    found = {name: "\n".join(lines).replace("/opt/", f"{tmp_path}/") for name, lines in sections().items()}
    for line in found["files"].splitlines():
        source, target = (Path(word) for word in line.split())
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix or source.name == "LICENSE":
            shutil.copy(ROOT / source, target)
        else:
            shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
    script = "\n".join([found["post"].replace("{{ extra }}", "train"), found["environment"], found["test"]])
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    own["PATH"] = f"{Path(sys.executable).resolve().parent}:{own['PATH']}"
    done = subprocess.run(["sh", "-ec", script], cwd=tmp_path, env=own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "tensorflow"
    run = ["sh", "-ec", f"{found['environment']}\n{found['runscript']}", "sh", "models"]
    assert "shipped" in subprocess.run(run, cwd=tmp_path, env=own, capture_output=True, text=True, check=False).stdout
