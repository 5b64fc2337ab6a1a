"""`make demo`: starts the service, uploads a sample, follows one run of `inclinet/full`, and prints its result."""

import re
import shlex
import time
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment

from deployments.overview import show_result
from deployments.prefect_server import prefect_client
from deployments.processes import CONSOLE
from deployments.progress import follow
from deployments.sample import LocalSample, choose_sample, parse_bands, upload_sample
from deployments.service import up
from deployments.settings import BUCKET, FOLDER, Service
from deployments.terminal import PrefectPort, StorePort, run_commands
from inclinet.cli.app import show_table, track
from inclinet.errors import InclinetError
from inclinet.evaluation.filenames import PREDICTIONS_FILE
from inclinet.prediction.predictor import open_predictor
from inclinet.prediction.sources import find_sources
from inclinet.registry.champion import read_champion
from inclinet.registry.choice import choose
from inclinet.registry.versions import find_version
from inclinet.settings import Augment, Sample, Split, Train
from inclinet.simulation.simulate import simulate
from inclinet.storage.addresses import open_store

__all__ = ["demo"]

GALAXIES = 300
SIZE = 64
SPLIT = Split(niter=1)
AUGMENT = Augment(nbatch=5, batchsize=40)
TRAIN = Train(models=("model4",), N_batch_iter=5, training_batch_size=32)

_ANSWERS = 5  # galaxies on screen
_VERSION = re.compile(r"\b\d{8}-[0-9a-f]{10}\b")


def demo(
    images: Path | None = None,
    catalog: Path | None = None,
    imroot: str | None = None,
    bands: str | None = None,
    prefect_port: int | None = None,
    store_port: int | None = None,
    folder: Path = FOLDER,
) -> bool:
    """Run the demo on simulated galaxies, or on the images in a folder; returns whether the run completed.

    Parameters
    ----------
    images, catalog, imroot
        A sample of your own; see `choose_sample`.
    bands
        Bands separated by commas; by default all that the sample has.
    prefect_port, store_port, folder
        Of the service; see `up`.

    Raises
    ------
    InclinetError
        The sample cannot be used, which is checked first, or the service does not start.
    """
    started = time.monotonic()
    chosen = parse_bands(bands) if bands else None
    if images is None and (catalog or imroot):
        raise InclinetError("a catalogue or a root of image names needs a folder of images", setting="images")
    sample = choose_sample(images, catalog, imroot, chosen) if images else None
    service = up(folder, prefect_port=prefect_port, store_port=store_port)
    sample = sample or _simulate_sample(service, chosen)
    run = _run(service, upload_sample(service, sample))
    CONSOLE.print(
        f"{run.name} {run.state.name.lower()}, {time.monotonic() - started:.0f} s after the start of the demo"
    )
    verdict = ""
    if run.state.is_completed():
        verdict = show_result(service.store.folder, run.name)
        _show_version(service, run.state.message or "")
        _show_answers(service, run.name, run.state.message or "", sample)
    else:
        CONSOLE.print(run.state.message, style="red", markup=False)
    CONSOLE.print(f"watch     {service.ui}/runs/flow-run/{run.id}")
    CONSOLE.print("stop      make down")
    if verdict:
        CONSOLE.print(f"result    {verdict}", markup=False)
    return run.state.is_completed()


def _simulate_sample(service: Service, bands: tuple[str, ...] | None) -> LocalSample:
    images = service.folder / "demo"
    if not (images / "catalog.csv").is_file():
        simulate(GALAXIES, images, track=track)
    return choose_sample(images, None, None, bands)


def _run(service: Service, sample: Sample) -> FlowRun:
    bands, networks = len(sample.bands), (SPLIT.subsamples + 1) * len(TRAIN.models)
    expected = {
        "catalogue": 1,
        "inventory": bands,
        "prep": bands,
        "compress": bands,
        "split": bands,
        "augment": (SPLIT.subsamples + 1) * (AUGMENT.nbatch + 1) + 1,
        "step": networks * AUGMENT.nbatch * TRAIN.N_batch_iter,
        "network": networks,
        "evaluate": 1,
        "publish": 1,
    }
    stages = {"sample": sample, "split": SPLIT, "augment": AUGMENT, "train": TRAIN}
    parameters = {"size": SIZE, **{name: settings.model_dump() for name, settings in stages.items()}}
    with prefect_client(service) as client:
        run = run_deployment("inclinet/full", parameters=parameters, timeout=0)
        CONSOLE.print("run            started, like `prefect deployment run inclinet/full`")
        return follow(client, run.id, expected)


def _show_version(service: Service, message: str) -> None:
    """Print the message of the run, and how to predict with the version that it published.

    The message of `inclinet/full` names that version, and says whether it has been put into use, or why not, what
    it was trained on, and its tested error.
    """
    CONSOLE.print(f"version   {message}", markup=False)
    found = _VERSION.search(message)
    if found is None:
        return
    store = open_store(str(service.store.folder / BUCKET))
    published, champion = find_version(store, found[0]), read_champion(store)
    in_use = champion is not None and champion.version == published.version
    shell = f"source .venv/bin/activate; source {shlex.quote(str(service.folder / 'env.sh'))}"
    option = "" if in_use else f" --version {published.version}"
    CONSOLE.print(f"predict   {shell}; inclinet predict{option} IMAGES", markup=False)
    if not in_use:
        CONSOLE.print(f"use it    inclinet promote {published.version}, in the same shell", markup=False)


def _show_answers(service: Service, run: str, message: str, sample: LocalSample) -> None:
    """Print what the version answers for some galaxies of the test set, one row for each."""
    found, bucket = _VERSION.search(message), service.store.folder / BUCKET
    tested = bucket / "runs" / run / "evaluation" / PREDICTIONS_FILE
    if found is None or not tested.is_file():
        return
    wanted = pd.read_csv(tested)["pgc"].drop_duplicates().head(_ANSWERS).tolist()
    sources = [one for one in find_sources(sample.catalog, sample.images) if one.pgc in wanted]
    table = open_predictor(choose(str(bucket), found[0])).predict(sources)
    rows = [
        {
            "galaxy": row["galaxy"],
            "images": str(row["n_images"]),
            "inclination": f"{row['inclination']:.1f} ± {row['error']:.1f}",
            "truth": f"{row['truth']:.0f}",
            "flag": row["flag"],
        }
        for row in table.to_dict("records")
    ]
    if rows:
        show_table(rows, "Some galaxies of the test set, one answer for each (deg)", texts=["flag"])


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def _demo(
    images: Annotated[Path | None, typer.Option(help="Folder of your own images, instead of simulated ones.")] = None,
    catalog: Annotated[Path | None, typer.Option(help="Your catalogue; by default catalog.csv in that folder.")] = None,
    imroot: Annotated[str | None, typer.Option(help="Root of the image names; by default the most common.")] = None,
    bands: Annotated[str | None, typer.Option(help="Bands separated by commas; by default all of the sample.")] = None,
    prefect_port: PrefectPort = None,
    store_port: StorePort = None,
) -> None:
    """Start the service and run inclinet/full on 300 simulated galaxies, or on your own."""
    if not demo(images, catalog, imroot, bands, prefect_port, store_port):
        raise typer.Exit(1)


if __name__ == "__main__":
    run_commands(app)
