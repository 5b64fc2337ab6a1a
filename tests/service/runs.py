"""Starting and following runs of the service's flows."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, FlowRunFilterParentFlowRunId
from prefect.deployments import run_deployment

from deployments.service import BUCKET

TINY = {
    "size": 24,
    "split": {"niter": 1},
    "augment": {"nbatch": 2, "batchsize": 2},
    "train": {"N_batch_iter": 2, "training_batch_size": 16},
}


def start_full(**parameters):
    """Start inclinet/full; returns its run."""
    return run_deployment("inclinet/full", parameters=TINY | parameters, timeout=0)


def finish(client, run_id, seconds=400):
    """Wait for a run to end; return it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        run = client.read_flow_run(run_id)
        if run.state.is_final():
            return run
        time.sleep(0.3)
    pytest.fail(f"run {run_id} did not end within {seconds} s")


def kill_process_of(client, *run_ids):
    """Kill the processes of flow runs (SIGKILL), all at once."""
    pids = [int(client.read_flow_run(run_id).infrastructure_pid.rpartition(":")[2]) for run_id in run_ids]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def retry(client, run):
    """Retry a run from the command line and wait for it to end; return it."""
    # A worker reports the end of a process a second time, some seconds after the first.
    time.sleep(8)
    command = [sys.executable, "-m", "prefect", "flow-run", "retry", str(run.id)]
    subprocess.run(command, check=True, timeout=60, capture_output=True)
    for _ in range(60):
        if not client.read_flow_run(run.id).state.is_final():
            break
        time.sleep(0.5)
    return finish(client, run.id)


def healed(client, run, seconds=400):
    """Wait until a crashed run is run again by itself, and to its end; return it."""
    for _ in range(120):
        if not client.read_flow_run(run.id).state.is_final():
            return finish(client, run.id, seconds)
        time.sleep(0.5)
    pytest.fail(f"run {run.id} was not run again")


def children_of(client, run_id):
    """Return the child runs of a run."""
    only = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[run_id]))
    return client.read_flow_runs(flow_run_filter=only)


def tasks_of(client, run_id, offset=0):
    """Return up to 200 task runs of a run."""
    only = FlowRunFilter(id=FlowRunFilterId(any_=[run_id]))
    return client.read_task_runs(flow_run_filter=only, offset=offset)


def running_child(client, run_id, seconds=200):
    """Wait until a child run of a run is running; returns all its child runs."""
    for _ in range(seconds):
        children = children_of(client, run_id)
        if any(child.state.is_running() for child in children):
            return children
        time.sleep(1)
    pytest.fail("no child run began")


def run_full(client, **parameters):
    """Run inclinet/full to its end; return what `finish_full` returns."""
    return finish_full(client, start_full(**parameters))


def finish_full(client, run):
    """Wait for a run of inclinet/full; return it, its child runs, and the states of all its tasks by name."""
    run = finish(client, run.id)
    children = children_of(client, run.id)
    states = {}
    for one in [run.id, *(child.id for child in children)]:
        for task in tasks_of(client, one):
            if task.state.state_details.child_flow_run_id:  # represents a child run in its parent's graph
                continue
            states[f"{task.name} of {one}" if task.name.startswith("step") else task.name] = task.state.name
    return run, children, states


def artifacts_of(bucket, run):
    """Return the rows of a run's artifacts.csv."""
    body = bucket.get_object(Bucket=BUCKET, Key=f"runs/{run.name}/artifacts.csv")["Body"].read()
    return list(csv.DictReader(body.decode().splitlines()))


def made_by(bucket, run):
    """Return the names, with their stage, of the artifacts that a run made."""
    return {f"{row['stage']}-{row['name']}" for row in artifacts_of(bucket, run) if row["made"] == "made"}


def digests_of(bucket, run):
    """Return the digests of a run's artifacts by their keys."""
    return {row["key"]: row["digest"] for row in artifacts_of(bucket, run)}


def forget(bucket, service, prefix="artifacts/"):
    """Remove what earlier runs made: the artifacts, and the workers' local copies."""
    for key in keys(bucket, prefix):
        bucket.delete_object(Bucket=BUCKET, Key=key)
    shutil.rmtree(service.folder / "cache", ignore_errors=True)


def keys(bucket, prefix):
    """Return the keys below a prefix of the bucket."""
    listing = bucket.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    return [item["Key"] for page in listing for item in page.get("Contents", ())]
