"""`prefect.yaml`: every deployment can be told apart, and runs code that exists."""

import asyncio
import importlib
import re
from pathlib import Path

import pytest
import yaml

from deployments.settings import POOLS
from tests.conftest import ROOT
from tests.tasks.conftest import prefect_api  # noqa: F401


@pytest.fixture(scope="module")
def deployments():
    return yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]


def name_of(deployment):
    """Return the name of a deployment of `prefect.yaml` as Prefect has it, with that of its flow."""
    path, name = deployment["entrypoint"].split(":")
    flow = getattr(importlib.import_module(path.removesuffix(".py").replace("/", ".")), name)
    return f"{flow.name}/{deployment['name']}"


def test_deployments_run_flows_that_exist(deployments):
    pytest.importorskip("prefect", reason="needs the extra `service`")
    names = {name_of(deployment) for deployment in deployments}
    assert {deployment["work_pool"]["name"] for deployment in deployments} == set(POOLS)
    children = {"train/gpu", "evaluate/test-set", "predict/share"}
    works = {"predict/batch", "cutouts/batch", "heal/crashed", "prune/weekly"}
    assert names == {"inclinet/full", "inclinet/retrain"} | children | works


def test_deployments_differ_in_description_and_tags(deployments):
    assert len({deployment["description"] for deployment in deployments}) == len(deployments)
    assert len({(deployment["name"], *deployment["tags"]) for deployment in deployments}) == len(deployments)


def test_the_settings_that_the_description_of_full_names_are_in_its_form(deployments):
    pytest.importorskip("prefect", reason="needs the extra `service`")
    from flows.full import full

    [description] = [one["description"] for one in deployments if one["name"] == "full"]
    schema = full.parameters.model_dump()
    fields = [*schema["properties"].values()]
    for definition in schema["definitions"].values():
        fields += definition.get("properties", {}).values()
    named = re.findall(r"`([^`]+)`", description)
    assert len(named) > 5
    assert set(named) <= {field.get("title") for field in fields}


def test_the_schedules_are_weekly(deployments):
    scheduled = {d["name"]: d["schedules"] for d in deployments if "schedules" in d}
    assert scheduled.keys() == {"retrain", "weekly"}
    assert [(s["slug"], s["cron"], s["timezone"]) for s in scheduled["retrain"]] == [("weekly", "0 3 * * 1", "UTC")]
    assert [(s["slug"], s["cron"], s["timezone"]) for s in scheduled["weekly"]] == [("weekly", "0 4 * * 0", "UTC")]


@pytest.mark.service
@pytest.mark.xdist_group("tasks")
def test_the_folder_of_the_code_is_that_of_the_worker(prefect_api, deployments, tmp_path, monkeypatch):  # noqa: F811
    from prefect.deployments.steps.core import StepExecutionError, run_steps

    from deployments.deploy import _want

    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("INCLINET_HOME", "/home/of/whoever/deploys")
    wanted = [_want(one, None, tmp_path / "none.yaml") for one in deployments]
    (steps,) = {str(one.code["pull_steps"]): one.code["pull_steps"] for one in wanted}.values()
    monkeypatch.setenv("INCLINET_HOME", str(tmp_path))
    asyncio.run(run_steps(steps))
    assert Path.cwd() == tmp_path
    monkeypatch.setenv("INCLINET_HOME", str(tmp_path / "gone"))
    with pytest.raises(StepExecutionError) as failed:
        asyncio.run(run_steps(steps))
    assert "start the worker with the folder of Inclinet in it" in str(failed.value.__cause__)
