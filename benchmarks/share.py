"""A folder shared out over two workers, against one: python benchmarks/share.py IMAGES [--chunk 100] [--rounds 2].

Starts a service of its own, with workers of the pool `gpu` on a core each. `predict/batch` predicts the folder with the
shipped version, with one worker and with two in turn. Where other programs use the same cores, compare processor time:
without them, a run with two workers would take as long as the busier one of its processes computes.
"""

import argparse
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import psutil
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolUpdate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment

from deployments.ports import free_port
from deployments.prefect_server import prefect_client, worker_program
from deployments.processes import Launch, stop_programs
from deployments.service import BUCKET, bucket_client, down, up
from deployments.settings import PROJECT, Service
from inclinet.data.filenames import is_image

_PORTS = range(24_000, 25_000)


def start_workers(service: Service, client: SyncPrefectClient, number: int) -> None:
    """Start workers of the pool `gpu`, each on a core of its own."""
    launch = Launch(service.folder)
    for core in range(number):
        program = worker_program(service, client, "gpu")
        name = f"gpu-{core + 1}"
        command = [name if part == "gpu-1" else part for part in program.command]
        launch.start(replace(program, name=f"worker-{name}", command=command))
        launch.started[f"worker-{name}"].cpu_affinity([core])
    while sum(worker.status.value == "ONLINE" for worker in client.read_workers_for_work_pool("gpu")) < number:
        time.sleep(1)


def children_of(client: SyncPrefectClient, run: FlowRun) -> list[FlowRun]:
    """Return the child runs of a run."""
    only = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[run.id]))
    return client.read_flow_runs(flow_run_filter=only)


def predict(client: SyncPrefectClient, images: Path, chunk: int) -> tuple[float, list[float]]:
    """Predict the folder; return how long the run took (s), and the processor time (s) of its processes."""
    what = {"images": str(images), "version": "shipped", "chunk": chunk}
    run = run_deployment("predict/batch", parameters={"what": what}, timeout=0)
    spent: dict[UUID, float] = {}
    while not (run := client.read_flow_run(run.id)).state.is_final():
        for one in (run, *children_of(client, run)):
            pid = (one.infrastructure_pid or "").rpartition(":")[2]
            if pid and psutil.pid_exists(int(pid)):
                times = psutil.Process(int(pid)).cpu_times()
                spent[one.id] = times.user + times.system
        time.sleep(0.5)
    if not run.state.is_completed() or run.start_time is None or run.end_time is None:
        raise SystemExit(f"{run.name}: {run.state.message}")
    return (run.end_time - run.start_time).total_seconds(), list(spent.values())


def forget(service: Service) -> None:
    """Remove what was predicted."""
    client = bucket_client(service)
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="artifacts/"):
        for item in page.get("Contents", ()):
            client.delete_object(Bucket=BUCKET, Key=item["Key"])
    shutil.rmtree(service.folder / "cache", ignore_errors=True)


def main() -> None:
    """Print a line for each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path, help="folder of images")
    parser.add_argument("--chunk", type=int, default=100, help="images per chunk")
    parser.add_argument("--rounds", type=int, default=2, help="runs with one worker, and with two")
    options = parser.parse_args()
    images = options.images.resolve()
    count = sum(is_image(path.name) for path in images.iterdir())
    folder = Path(tempfile.mkdtemp(prefix="inclinet-share-"))
    try:
        service = up(folder, PROJECT, free_port(_PORTS), free_port(_PORTS), workers=())
        with prefect_client(service) as client:
            for workers in (1, 2) * options.rounds:
                client.update_work_pool("gpu", WorkPoolUpdate(concurrency_limit=workers))
                start_workers(service, client, workers)
                seconds, spent = predict(client, images, options.chunk)
                cpu = " + ".join(f"{one:.0f}" for one in spent)
                print(f"{workers} workers {seconds:>7.1f} s {count / seconds:>7.1f} images/s   processor time {cpu} s")
                stop_programs(folder, [f"worker-gpu-{number}" for number in range(1, workers + 1)])
                forget(service)
    finally:
        down(folder)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
