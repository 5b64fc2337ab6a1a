"""`make demo`: the service, a sample, one run of `inclinet/full` followed to its end, and its result."""

import hashlib
import json
import shlex
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from botocore.client import BaseClient
from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, FlowRunFilterParentFlowRunId
from prefect.client.schemas.objects import FlowRun, StateType, TaskRun
from prefect.deployments import run_deployment
from prefect.settings import PREFECT_API_URL, temporary_settings
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deployments.service import BUCKET, FOLDER, Service, bucket_client, up
from inclinet.cli.app import track
from inclinet.cli.evaluation import show_evaluation
from inclinet.data.bands import BANDS
from inclinet.data.filenames import parse_image
from inclinet.errors import InclinetError
from inclinet.registry.champion import choose_version
from inclinet.settings import Augment, Sample, Split, Train
from inclinet.simulation.simulate import simulate
from inclinet.storage.store import open_store

__all__ = ["demo", "main"]

GALAXIES = 300
SIZE = 64
SPLIT = Split(niter=1)
AUGMENT = Augment(nbatch=5, batchsize=40)
TRAIN = Train(models=("model4",), N_batch_iter=3, training_batch_size=32)
CONSOLE = Console(highlight=False, soft_wrap=True)
_PARALLEL = 16
_POLL_SECONDS = 2


def _upload(client: BaseClient, prefix: str, files: dict[str, Path]) -> int:
    """Make the bucket hold under `prefix` just these files (by the rest of their keys); returns how many it put.

    What is there with the same content stays; what is no longer in the sample goes.
    """
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{prefix}/")
    there = {
        item["Key"].removeprefix(f"{prefix}/"): item["ETag"].strip('"')
        for page in pages
        for item in page.get("Contents", ())
    }
    for name in there.keys() - files.keys():
        client.delete_object(Bucket=BUCKET, Key=f"{prefix}/{name}")

    def put(item: tuple[str, Path]) -> bool:
        name, path = item
        content = path.read_bytes()
        # The ETag of an object written in one piece is its MD5: good enough to spare an upload.
        if there.get(name) == hashlib.md5(content, usedforsecurity=False).hexdigest():
            return False
        client.put_object(Bucket=BUCKET, Key=f"{prefix}/{name}", Body=content)
        return True

    with ThreadPoolExecutor(_PARALLEL) as pool:
        return sum(track(pool.map(put, files.items()), "upload", len(files)))


def _bring(service: Service, images: Path, catalog: Path, imroot: str) -> str:
    """Bring a sample into the bucket; returns its prefix, named after the folder."""
    files = {f"galaxies/{path.name}": path for path in images.iterdir() if parse_image(path.name, imroot)}
    if not files:
        raise InclinetError(f"{images}: no image such as pgc<ID>_{imroot}_gri.jpg; choose IMAGES and IMROOT")
    if not catalog.is_file():
        raise InclinetError(f"{catalog}: no such catalogue; choose CATALOG")
    folder = images.resolve()
    prefix = f"input/{folder.name}-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"
    uploaded = _upload(bucket_client(service), prefix, files | {"catalog.csv": catalog})
    CONSOLE.print(f"sample         {len(files)} images in s3://{BUCKET}/{prefix}, {uploaded} files uploaded")
    return prefix


def _bands_of(images: Path, imroot: str) -> tuple[str, ...]:
    found = {parsed.band for path in images.iterdir() if (parsed := parse_image(path.name, imroot))}
    return tuple(band for band in BANDS if band in found)


def _imroot_of(images: Path) -> str:
    """Return the commonest root among the image names of a folder."""
    stems = [path.stem.removesuffix(".sdss") for path in images.glob("pgc*_*_*") if path.suffix in (".jpg", ".png")]
    roots = Counter(stem.partition("_")[2].rpartition("_")[0] for stem in stems)
    if not roots:
        raise InclinetError(f"{images}: no image such as pgc<ID>_<root>_gri.jpg; choose IMAGES")
    return roots.most_common(1)[0][0]


def _tasks(client: SyncPrefectClient, run_id: UUID) -> list[TaskRun]:
    """Return all task runs of a run and of its child runs."""
    children = client.read_flow_runs(
        flow_run_filter=FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[run_id]))
    )
    found: list[TaskRun] = []
    for one in [run_id, *(child.id for child in children)]:
        only, start = FlowRunFilter(id=FlowRunFilterId(any_=[one])), len(found)
        while page := client.read_task_runs(flow_run_filter=only, offset=len(found) - start):
            found += page
    return found


def _follow(client: SyncPrefectClient, run_id: UUID, expected: dict[str, int]) -> FlowRun:
    """Show the progress of a run, stage by stage, until it ends; returns the run."""
    columns = (
        TextColumn("  {task.description:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[now]}"),
    )
    with Progress(*columns, TimeElapsedColumn(), console=CONSOLE) as progress:
        bars = {stage: progress.add_task(stage, total=total, now="") for stage, total in expected.items()}
        while True:
            run = client.read_flow_run(run_id)
            tasks = _tasks(client, run_id)
            for stage, bar in bars.items():
                mine = [task for task in tasks if task.name.partition("-")[0] == stage]
                done = sum(task.state_type == StateType.COMPLETED for task in mine)
                running = [task.name for task in mine if task.state_type == StateType.RUNNING]
                progress.update(bar, completed=done, total=max(len(mine), expected[stage]), now=" ".join(running[:2]))
            if run.state.is_final():
                for bar in bars.values() if run.state.is_completed() else ():  # what was found made no steps
                    progress.update(bar, completed=progress.tasks[bar].total, now="")
                return run
            time.sleep(_POLL_SECONDS)


def demo(
    images: Path | None,
    catalog: Path | None,
    imroot: str | None,
    bands: str | None,
    prefect_port: int | None = None,
    store_port: int | None = None,
    folder: Path = FOLDER,
) -> bool:
    """Run the demo; returns whether the run completed.

    Raises
    ------
    InclinetError
        When the service does not start or the sample is unusable.
    """
    started = time.monotonic()
    service = up(folder, prefect_port=prefect_port, store_port=store_port)
    if images is None:
        images = service.folder / "demo"
        if not (images / "catalog.csv").is_file():
            simulate(GALAXIES, images, track=track)
        catalog = images / "catalog.csv"
    if not images.is_dir():
        raise InclinetError(f"{images}: no such folder of images; choose IMAGES")
    catalog = catalog or images / "catalog.csv"
    imroot = imroot or _imroot_of(images)
    prefix = _bring(service, images, catalog, imroot)
    parameters = {
        "size": SIZE,
        "sample": Sample(
            images=f"{prefix}/galaxies",
            catalog=f"{prefix}/catalog.csv",
            imroot=imroot,
            bands=tuple(bands.split(",")) if bands else _bands_of(images, imroot),
        ).model_dump(),
        "split": SPLIT.model_dump(),
        "augment": AUGMENT.model_dump(),
        "train": TRAIN.model_dump(),
    }
    run = _run(service, parameters)
    CONSOLE.print(f"{run.name} {run.state.name.lower()} after {time.monotonic() - started:.0f} s in all")
    if run.state.is_completed():
        _show_result(service, run.name)
        _show_use(service, run)
    else:
        CONSOLE.print(run.state.message, style="red", markup=False)
    CONSOLE.print(f"watch     {service.ui}/runs/flow-run/{run.id}")
    CONSOLE.print("stop      make down")
    return run.state.is_completed()


def _run(service: Service, parameters: dict) -> FlowRun:
    bands, networks = len(parameters["sample"]["bands"]), (SPLIT.niter + 1) * len(TRAIN.models)
    expected = {
        "catalogue": 1,
        "inventory": bands,
        "prep": bands,
        "compress": bands,
        "split": bands,
        "augment": (SPLIT.niter + 1) * (AUGMENT.nbatch + 1) + 1,
        "step": networks * AUGMENT.nbatch * TRAIN.N_batch_iter,
        "network": networks,
        "evaluate": 1,
        "publish": 1,
    }
    with temporary_settings({PREFECT_API_URL: service.api}), get_client(sync_client=True) as client:
        run = run_deployment("inclinet/full", parameters=parameters, timeout=0)
        CONSOLE.print(f"run            {run.name}, by `prefect deployment run inclinet/full`")
        return _follow(client, run.id, expected)


def _show_result(service: Service, run: str) -> None:
    folder = service.folder / "store" / BUCKET / "runs" / run
    metrics = folder / "evaluation" / "metrics.json"
    if metrics.is_file():
        evaluation = json.loads(metrics.read_text())
        show_evaluation(evaluation)
        CONSOLE.print(f"The labels of the test galaxies scatter by {evaluation['std']:.2f} deg (standard deviation).")
    else:
        CONSOLE.print((folder / "evaluation" / "metrics.md").read_text().strip())
    CONSOLE.print(f"artifacts s3://{BUCKET}/runs/{run}/ (here: {folder})", markup=False)
    report = folder / "evaluation" / "report.html"
    if report.is_file():
        CONSOLE.print(f"report    {report}", markup=False)


def _show_use(service: Service, run: FlowRun) -> None:
    """Say which version is in use, what it was trained on, and how to predict with it."""
    store = open_store(str(service.folder / "store" / BUCKET))
    current = choose_version(store)
    CONSOLE.print(f"version   {current.version} is in use")
    if current.info.simulated:
        CONSOLE.print("          trained on simulated galaxies alone: to try the service, not for science")
    if current.version not in (run.state.message or "").partition(";")[0]:
        CONSOLE.print(f"          {run.state.message}; `inclinet promote VERSION` puts another one in use")
    env = shlex.quote(str(service.folder / "env.sh"))
    CONSOLE.print(f"predict   source .venv/bin/activate; source {env}; inclinet predict IMAGES", markup=False)


def main() -> None:
    """Command line of the demo."""
    typer.run(_command)


def _command(
    images: Annotated[Path | None, typer.Option(help="Folder of your own images instead of simulated ones.")] = None,
    catalog: Annotated[Path | None, typer.Option(help="Your catalogue; catalog.csv beside the images.")] = None,
    imroot: Annotated[str | None, typer.Option(help="Root of the image names; the commonest if omitted.")] = None,
    bands: Annotated[str | None, typer.Option(help="Bands, split by commas; those that there are if omitted.")] = None,
    prefect_port: Annotated[int | None, typer.Option(help="Port of the Prefect server.")] = None,
    store_port: Annotated[int | None, typer.Option(help="Port of the object store.")] = None,
) -> None:
    """Start the service and run inclinet/full on 300 simulated galaxies, or on your own."""
    try:
        completed = demo(images, catalog, imroot, bands, prefect_port, store_port)
    except InclinetError as error:
        CONSOLE.print(f"error: {error}", style="red", markup=False)
        sys.exit(1)
    sys.exit(0 if completed else 1)


if __name__ == "__main__":
    main()
