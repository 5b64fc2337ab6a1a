"""What the service costs: a run of `inclinet/full` with the settings of `make demo`, beside `inclinet full` without it.

python benchmarks/service.py [--repeat 2]
"""

import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from prefect.deployments import run_deployment
from share import children_of
from tables import print_header, print_row

from deployments.demo import AUGMENT, GALAXIES, SIZE, SPLIT, TRAIN
from deployments.prefect_server import prefect_client
from deployments.processes import bypass_proxies
from deployments.sample import choose_sample, upload_sample
from deployments.service import down, up
from deployments.settings import Service
from inclinet.settings import Sample
from inclinet.simulation.simulate import simulate


def plain(images: Path, out: Path) -> float:
    """Run the pipeline without the service; return the seconds that it took."""
    options = {
        "-p": images,
        "-c": images / "catalog.csv",
        "-o": out,
        "-s": SIZE,
        "-n": SPLIT.niter,
        "-b": AUGMENT.nbatch,
        "-z": AUGMENT.batchsize,
        "-m": ",".join(TRAIN.models),
        "-N": TRAIN.N_batch_iter,
        "--training_batch_size": TRAIN.training_batch_size,
    }
    words = [str(word) for option in options.items() for word in option]
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "inclinet", "full", *words], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def in_service(service: Service, sample: Sample, number: int) -> dict[str, float]:
    """Run the pipeline through the service; return the seconds of its parts.

    `number` is the seed of the augmentation, so that no run reuses another's stored batches and networks.
    """
    stages = {"sample": sample, "split": SPLIT, "augment": AUGMENT.model_copy(update={"seed": number}), "train": TRAIN}
    parameters = {"size": SIZE, **{name: settings.model_dump() for name, settings in stages.items()}}
    with prefect_client(service) as client:
        began = time.time()
        run = run_deployment("inclinet/full", parameters=parameters, poll_interval=0.5)
        assert run.state is not None and run.state.is_completed(), run.state
        children = children_of(client, run)
    waits = [seconds(child.created, child.start_time) for child in children]
    return {
        "run": seconds(run.start_time, run.end_time),
        "before it": timestamp(run.start_time) - began,
        "child runs": len(children),
        "before them": sum(waits),
        "in them": sum(seconds(child.start_time, child.end_time) for child in children),
    }


def timestamp(moment: datetime | None) -> float:
    """Return a time of a run that has ended, in seconds since 1970."""
    assert moment is not None
    return moment.timestamp()


def seconds(begin: datetime | None, end: datetime | None) -> float:
    """Return the seconds between two times of a run that has ended."""
    return timestamp(end) - timestamp(begin)


def main(repeat: Annotated[int, typer.Option(help="How often each is run, in turn.")] = 2) -> None:
    """Print the seconds of both, in turn."""
    bypass_proxies()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as scratch:
        folder, images = Path(scratch), Path(scratch, "galaxies")
        simulate(GALAXIES, images)
        began = time.monotonic()
        service = up(folder / "service", prefect_port=24300, store_port=29300)
        print(f"\nservice up in {time.monotonic() - began:.1f} s")
        try:
            sample = upload_sample(service, choose_sample(images, None, None, None))
            print_header(["plain (s)", "run (s)", "before it", "child runs", "before them", "in them"], left=0)
            for number in range(repeat):
                alone = plain(images, folder / f"plain-{number}")
                print_row([f"{alone:.1f}", *(f"{value:.1f}" for value in in_service(service, sample, number).values())])
        finally:
            down(folder / "service")


if __name__ == "__main__":
    typer.run(main)
