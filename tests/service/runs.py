"""Runs of the service's flows, started and followed."""

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
    """Wait for a run to end; returns it."""
    for _ in range(seconds):
        run = client.read_flow_run(run_id)
        if run.state.is_final():
            return run
        time.sleep(1)
    pytest.fail(f"run {run_id} did not end within {seconds} s")


def children_of(client, run_id):
    """Return the child runs of a run."""
    only = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[run_id]))
    return client.read_flow_runs(flow_run_filter=only)


def tasks_of(client, run_id):
    """Return the task runs of a run."""
    return client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run_id])))


def running_child(client, run_id, seconds=200):
    """Wait until a child run of a run is running; returns all its child runs."""
    for _ in range(seconds):
        children = children_of(client, run_id)
        if any(child.state.is_running() for child in children):
            return children
        time.sleep(1)
    pytest.fail("no child run began")


def keys(bucket, prefix):
    """Return the keys below a prefix of the bucket."""
    listing = bucket.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    return [item["Key"] for page in listing for item in page.get("Contents", ())]
