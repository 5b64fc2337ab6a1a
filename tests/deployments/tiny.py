"""A project with one small flow, and runs of it."""

import time

PREFECT_YAML = """
pull:
  - prefect.deployments.steps.set_working_directory:
      directory: "{{ $INCLINET_HOME }}"
deployments:
  - name: tiny
    entrypoint: flow.py:tiny
    work_pool:
      name: cpu
      job_variables: {env: {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: "30"}}
"""

HEALED_YAML = """
  - name: crashed
    entrypoint: healing.py:heal
    work_pool: {name: cpu}
"""

FLOW = """
import os
import time

import boto3
from prefect import flow
from prefect.deployments import run_deployment


@flow
def tiny(seconds: float = 0, child: bool = False):
    if child:
        assert run_deployment("tiny/tiny").state.is_completed()
    boto3.client("s3").put_object(Bucket="inclinet", Key="tiny.txt", Body=os.getcwd().encode())
    time.sleep(seconds)
"""


def write_project(folder, healed=False):
    """Write the project into a new folder; return it. With `healed`, Inclinet's own flow looks after crashed runs."""
    folder.mkdir(parents=True)
    (folder / "prefect.yaml").write_text(PREFECT_YAML + HEALED_YAML * healed)
    (folder / "healing.py").write_text("from flows.heal import heal\n" * healed)
    (folder / "flow.py").write_text(FLOW)
    return folder


def wait_for_state(client, run, name, seconds=60):
    deadline = time.monotonic() + seconds
    while (state := client.read_flow_run(run).state).name != name:
        assert time.monotonic() < deadline, f"still {state!r}"
        time.sleep(0.2)


def run_tiny(client, seconds=0):
    deployment = client.read_deployment_by_name("tiny/tiny")
    return client.create_flow_run_from_deployment(deployment.id, parameters={"seconds": seconds}).id
