"""Applies `prefect.yaml` to the server at PREFECT_API_URL, and keeps what people have set there.

`python -m deployments.deploy`, in the folder of `prefect.yaml`. Unlike `prefect deploy --all`, it leaves alone what has
been changed on the server since the last time, in the UI or by a command: parameters, tags, job variables, schedules,
limits. It says what it changes, and what it keeps.

The parameters of `inclinet/retrain` can also be in a file of the operator's, `retrain.yaml` or what INCLINET_RETRAIN
names.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Annotated, Any

import httpx
import typer
import yaml
from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import (
    DeploymentScheduleCreate,
    DeploymentUpdate,
)
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import construct_schedule
from prefect.exceptions import ObjectNotFound
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.settings import PREFECT_API_URL
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools import validate
from prefect.utilities.templating import apply_values

from deployments.merging import Merge, Path, digests_of, merge, report
from deployments.prefect_server import wait_for_pools
from deployments.record import read_record, update_record
from deployments.terminal import run_commands
from inclinet.errors import InclinetError

__all__ = ["RETRAIN_FILE", "connect", "deploy"]

RETRAIN_FILE = "retrain.yaml"
"""Usual name of the operator's file of parameters, beside `prefect.yaml`."""

_RETRAIN = "inclinet/retrain"
_UNKNOWN = ("build", "push", "triggers", "sla")
_GROUPS = ("parameters", "job_variables")
_SINGLE = ("description", "work_pool_name", "work_queue_name", "concurrency_limit", "paused")
_SCHEDULE = {"schedule", "active", "parameters", "max_scheduled_runs"}
_ANCHOR = "2020-01-01T00:00:00Z"  # of intervals; Prefect's default, now, would differ every time
_TIMING = ("cron", "interval", "rrule", "anchor_date", "timezone")


@dataclass(frozen=True)
class _Wanted:
    """One deployment of the project: its flow, what people may change, and what they may not."""

    name: str
    flow: Flow
    values: dict[Path, Any]
    decided: frozenset[Path]
    code: dict[str, Any]


def connect() -> SyncPrefectClient:
    """Return a client of the server at PREFECT_API_URL.

    Raises
    ------
    InclinetError
        It is not set. Prefect would start a server of its own.
    """
    if not PREFECT_API_URL.value():
        raise InclinetError("PREFECT_API_URL is not set: name the Prefect server")
    return get_client(sync_client=True)


def deploy(client: SyncPrefectClient, project: FilePath, *, wait: bool = False) -> list[str]:
    """Apply the `prefect.yaml` of a project, all of which is checked first.

    Parameters
    ----------
    client
        Of the server.
    project
        Folder of `prefect.yaml`, and the current directory.
    wait
        Wait, once everything is checked, for a server that starts, and for its work pools.

    Returns
    -------
    list of str
        A line for each deployment that was created, changed, or kept as a person has set it.

    Raises
    ------
    InclinetError
        A file cannot be read, or names a flow, a parameter or a setting that does not exist; or the server refused it.
    """
    content = _read_yaml(project / "prefect.yaml")
    retrain = FilePath(os.environ.get("INCLINET_RETRAIN", project / RETRAIN_FILE))
    wanted = [_want(spec, content.get("pull"), retrain) for spec in content.get("deployments", [])]
    if wait:
        wait_for_pools(client, sorted({one.values[("work_pool_name",)] for one in wanted}))
    before = read_record(client)
    try:
        lines = [line for one in wanted if (line := _apply(client, one, before.get(one.name)))]
    except httpx.HTTPStatusError as error:
        raise InclinetError(f"the Prefect server refused it: {error.response.text}") from error
    update_record(client, {one.name: digests_of(one.values) for one in wanted})
    return lines


def _read_yaml(path: FilePath) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text()) or {}
    except OSError as error:
        raise InclinetError(f"{path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InclinetError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise InclinetError(f"{path}: give names and values, such as `size: 128`")
    return content


def _want(spec: dict[str, Any], pull: Any, retrain: FilePath) -> _Wanted:
    """Return a deployment of `prefect.yaml`."""
    if unknown := [key for key in _UNKNOWN if spec.get(key)]:
        raise InclinetError(f"prefect.yaml, {spec.get('name')}: {unknown[0]} is only known to `prefect deploy`")
    flow: Flow = load_flow_from_entrypoint(spec["entrypoint"])
    name, parameters = f"{flow.name}/{spec['name']}", dict(spec.get("parameters") or {})
    own = _read_yaml(retrain) if name == _RETRAIN and retrain.exists() else {}
    schema = parameter_schema(flow).model_dump()
    _check(schema, parameters, "prefect.yaml")
    _check(schema, own, retrain)
    pool = spec["work_pool"]
    single = {
        "description": spec.get("description") or flow.description,
        "work_pool_name": pool["name"],
        "work_queue_name": pool.get("work_queue_name", "default"),
        "concurrency_limit": spec.get("concurrency_limit"),
        "paused": bool(spec.get("paused")),
    }
    schedules = {one["slug"]: _schedule(one) for one in spec.get("schedules") or []}
    groups = {"parameters": parameters | own, "job_variables": pool.get("job_variables") or {}}
    code = {
        "entrypoint": spec["entrypoint"],
        "parameter_openapi_schema": schema,
        "version": spec.get("version") or flow.version,
        "pull_steps": apply_values(spec.get("pull") or pull, os.environ, remove_notset=False),
    }
    values = _by_path(single, groups, spec.get("tags") or [], schedules)
    return _Wanted(name, flow, values, frozenset(("parameters", key) for key in own), code)


def _check(schema: dict[str, Any], parameters: dict[str, Any], source: str | FilePath) -> None:
    """Check parameters of a flow, which need not be all that it takes.

    Raises
    ------
    InclinetError
        One is unknown, or has a wrong value.
    """
    if unknown := sorted(parameters.keys() - schema["properties"].keys()):
        raise InclinetError(f"{source}: no parameter {unknown[0]!r}; choose from {', '.join(schema['properties'])}")
    for error in validate(parameters, schema, ignore_required=True):
        where = ".".join(map(str, error.absolute_path))
        raise InclinetError(f"{source}: {where}: {error.message}")


def _schedule(spec: dict[str, Any]) -> dict[str, Any]:
    """Return a schedule of `prefect.yaml` as the server describes it."""
    timing = {key: spec[key] for key in _TIMING if key in spec}
    if "interval" in timing:
        timing.setdefault("anchor_date", _ANCHOR)
    rest = {key: spec[key] for key in _SCHEDULE if key in spec}
    return _schedule_values(DeploymentScheduleCreate(schedule=construct_schedule(**timing), **rest))


def _schedule_values(schedule: DeploymentSchedule | DeploymentScheduleCreate) -> dict[str, Any]:
    return schedule.model_dump(mode="json", include=_SCHEDULE)


def _by_path(
    single: Mapping[str, Any], groups: Mapping[str, Mapping[str, Any]], tags: list[str], schedules: Mapping[str, Any]
) -> dict[Path, Any]:
    """Return everything that people may change about a deployment, by path; what is None is left out."""
    values: dict[Path, Any] = {(key,): value for key, value in single.items() if value is not None}
    for group, members in groups.items():
        values |= {(group, key): value for key, value in members.items()}
    values |= {("tags", tag): True for tag in tags}
    return values | {
        ("schedules", slug, key): value for slug, schedule in schedules.items() for key, value in schedule.items()
    }


def _schedules(values: Mapping[Path, Any]) -> dict[str, DeploymentScheduleCreate]:
    """Return the schedules by their slugs; one without a timing has been removed."""
    found: dict[str, dict[str, Any]] = {}
    for path, value in values.items():
        if path[0] == "schedules":
            found.setdefault(path[1], {})[path[2]] = value
    return {slug: DeploymentScheduleCreate(slug=slug, **one) for slug, one in found.items() if "schedule" in one}


def _found(deployment: DeploymentResponse) -> dict[Path, Any]:
    """Return what the server has. Schedules without a slug are a person's, and stay as they are."""
    limit = deployment.global_concurrency_limit
    single = {key: getattr(deployment, key) for key in _SINGLE} | {"concurrency_limit": limit.limit if limit else None}
    groups = {group: getattr(deployment, group) for group in _GROUPS}
    schedules = {one.slug: _schedule_values(one) for one in deployment.schedules if one.slug}
    return _by_path(single, groups, deployment.tags, schedules)


def _apply(client: SyncPrefectClient, wanted: _Wanted, before: Mapping[str, str] | None) -> str | None:
    """Create or update a deployment; return a line for it, None if there is nothing to say."""
    try:
        existing = client.read_deployment_by_name(wanted.name)
    except ObjectNotFound:
        flow_id = client.create_flow_from_name(wanted.flow.name)
        client.create_deployment(
            flow_id,
            wanted.name.partition("/")[2],
            schedules=list(_schedules(wanted.values).values()),
            enforce_parameter_schema=True,
            **wanted.code,
            **_fields(wanted.values),
        )
        return f"{wanted.name}: created"
    if before and existing.work_pool_name is None:  # not a person's choice: its pool was deleted
        before = {key: value for key, value in before.items() if key not in ("work_pool_name", "work_queue_name")}
    merged = merge(wanted.values, _found(existing), before, wanted.decided)
    # Not if nothing has changed: an update makes the server schedule all coming runs anew.
    if merged.changed or any(getattr(existing, key) != value for key, value in wanted.code.items()):
        client.update_deployment(existing.id, DeploymentUpdate(**wanted.code, **_fields(merged.values)))
    _change_schedules(client, existing, merged)
    return report(wanted.name, merged)


def _change_schedules(client: SyncPrefectClient, existing: DeploymentResponse, merged: Merge) -> None:
    """Create, change or remove schedules, each by itself: an update of the deployment would remove those of people."""
    ids, schedules = {one.slug: one.id for one in existing.schedules}, _schedules(merged.values)
    for slug in dict.fromkeys(path[1] for path in merged.changed if path[0] == "schedules"):
        schedule = schedules.get(slug)
        if schedule is None:
            client.delete_deployment_schedule(existing.id, ids[slug])
        elif slug in ids:
            fields = {key: getattr(schedule, key) for key in _SCHEDULE}
            client.update_deployment_schedule(existing.id, ids[slug], **fields)
        else:
            client.create_deployment_schedules(existing.id, [schedule])


def _fields(values: Mapping[Path, Any]) -> dict[str, Any]:
    """Return the fields of a deployment, schedules left out."""
    single = {key: values.get((key,)) for key in _SINGLE}
    groups = {
        name: {path[1]: value for path, value in values.items() if path[0] == name} for name in (*_GROUPS, "tags")
    }
    return single | groups | {"tags": list(groups["tags"])}


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(help=__doc__)
def _deploy(
    wait: Annotated[bool, typer.Option(help="Wait for a server that starts, and for its work pools.")] = False,
) -> None:
    with connect() as client:
        for line in deploy(client, FilePath.cwd(), wait=wait):
            typer.echo(line)


if __name__ == "__main__":
    run_commands(app)
