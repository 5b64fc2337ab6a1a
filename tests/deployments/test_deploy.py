"""Deployments applied again and again: what a person has set on the server stays."""

import subprocess
import sys

import pytest
import yaml

pytest.importorskip("psutil", reason="needs the extra `service`")
pytest.importorskip("prefect", reason="needs the extra `service`")

from prefect.client.schemas.actions import DeploymentUpdate, WorkPoolCreate
from prefect.client.schemas.schedules import CronSchedule
from prefect.workers.process import ProcessWorker

pytestmark = [pytest.mark.service, pytest.mark.xdist_group("deployments")]

FLOW = """
from prefect import flow


@flow(name="inclinet")
def retrain(size: int = 64, seed: int = 1):
    '''Trains.'''
"""

DEPLOYMENT = {
    "name": "retrain",
    "entrypoint": "retrain_flow.py:retrain",
    "tags": ["scheduled"],
    "parameters": {"seed": 1},
    "concurrency_limit": 1,
    "schedules": [{"slug": "weekly", "cron": "0 3 * * 1", "timezone": "UTC", "active": True}],
    "work_pool": {"name": "cpu", "job_variables": {"stream_output": True}},
}


@pytest.fixture
def project(tmp_path, running):
    """A project, and a function that deploys it, changed as its arguments say; returns what it printed."""

    def deploy(fails=False, retrain=None, **changes):
        content = {"deployments": [DEPLOYMENT | changes]}
        (tmp_path / "prefect.yaml").write_text(yaml.safe_dump(content))
        (tmp_path / "retrain_flow.py").write_text(FLOW)
        if retrain is not None:
            (tmp_path / "retrain.yaml").write_text(retrain)
        done = subprocess.run(
            [sys.executable, "-m", "deployments.deploy"],
            cwd=tmp_path,
            env=running_environment(running),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stderr if fails else done.stdout.strip()

    return deploy


def running_environment(running):
    from deployments.processes import clean_environment

    return clean_environment(running.environment)


def test_what_a_person_has_set_survives_upgrades(project, client):
    assert project() == "inclinet/retrain: created"
    assert project() == ""

    def now():
        return client.read_deployment_by_name("inclinet/retrain")

    first = now()
    assert first.description == "Trains."
    # As the UI does it.
    client.update_deployment(
        first.id,
        DeploymentUpdate(
            parameters={"seed": 1, "size": 128},
            tags=["scheduled", "ours"],
            job_variables={"stream_output": True, "env": {"KEY": "{{ prefect.blocks.secret.store-key }}"}},
        ),
    )
    client.update_deployment_schedule(first.id, first.schedules[0].id, active=False)
    client.create_deployment_schedules(first.id, [(CronSchedule(cron="0 4 * * *"), True)])

    said = project()
    assert said.startswith("inclinet/retrain: kept as set on the server: ")
    assert "parameter size" in said
    assert "tag ours" in said
    assert "job variable env" in said
    assert "schedule weekly active" in said

    weekly = DEPLOYMENT["schedules"][0] | {"cron": "0 5 * * 1"}
    said = project(parameters={"seed": 2}, tags=["scheduled", "new"], concurrency_limit=2, schedules=[weekly])
    assert "parameter seed 1 → 2" in said
    assert "changed concurrency limit 1 → 2" in said
    assert "schedule weekly," not in said.partition("kept")[2]
    after = now()
    assert after.id == first.id
    assert after.parameters == {"seed": 2, "size": 128}
    assert sorted(after.tags) == ["new", "ours", "scheduled"]
    assert after.job_variables["env"] == {"KEY": "{{ prefect.blocks.secret.store-key }}"}
    assert after.global_concurrency_limit.limit == 2
    schedules = {one.slug: (one.schedule.cron, one.active) for one in after.schedules}
    assert schedules == {"weekly": ("0 5 * * 1", False), None: ("0 4 * * *", True)}

    def with_file(text, **more):
        return project(retrain=text, parameters={"seed": 2}, tags=["scheduled", "new"], **more)

    assert "parameter size 128 → 256" in with_file("size: 256\n")
    client.update_deployment(first.id, DeploymentUpdate(parameters={"seed": 2, "size": 512}))
    assert "parameter size" in with_file("size: 256\n")
    assert now().parameters == {"seed": 2, "size": 512}
    assert "retrain.yaml: " in with_file("sizes: 3\n", fails=True)
    assert "retrain.yaml: " in with_file("size: large\n", fails=True)
    assert "retrain.yaml is not YAML" in with_file("size: [\n", fails=True)
    assert now().parameters == {"seed": 2, "size": 512}
    client.delete_deployment(first.id)  # the service would get an automation for it


def test_a_deployment_whose_pool_was_replaced_finds_the_new_one(project, client):
    """The type of a pool cannot be changed, so people delete it and create another one of that name."""
    template = ProcessWorker.get_default_base_job_template()
    spare = WorkPoolCreate(name="spare", type="process", base_job_template=template)
    client.create_work_pool(spare)
    project(name="spare", work_pool={"name": "spare"})
    client.delete_work_pool("spare")
    client.create_work_pool(spare)
    assert "changed work pool name" in project(name="spare", work_pool={"name": "spare"})
    assert client.read_deployment_by_name("inclinet/spare").work_pool_name == "spare"


def test_without_a_server_nothing_is_started(tmp_path):
    (tmp_path / "prefect.yaml").write_text("deployments: []\n")
    done = subprocess.run(
        [sys.executable, "-m", "deployments.deploy"],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PATH": ""} | {"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "PREFECT_API_URL is not set" in done.stderr
