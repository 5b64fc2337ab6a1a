"""As many galaxies as in production, as small images: bounded memory, and some hundred tasks."""

import threading
import time

import numpy as np
import psutil
import pytest
from PIL import Image
from prefect import get_client

from deployments.service import bucket_client
from tests.conftest import disc, write_catalog
from tests.service.runs import artifacts_of, finish, start_full, tasks_of

pytestmark = [pytest.mark.service, pytest.mark.slow, pytest.mark.xdist_group("service")]

SIZE = 20
KINDS = 40  # different pictures


def many(folder, galaxies):
    """Write that many galaxies in four bands, as links to a few pictures."""
    images = folder / "galaxies"
    images.mkdir(parents=True)
    rng = np.random.default_rng(0)
    labels = np.linspace(45, 90, KINDS).round().astype(int)
    for kind, inclination in enumerate(labels):
        picture = disc(24, inclination, angle=rng.uniform(0, np.pi))
        Image.fromarray(picture).save(folder / f"{kind}_gri.sdss.jpg", quality=95)
        for band in "gri":
            Image.fromarray(255 - picture[..., 0]).save(folder / f"{kind}_{band}.png")
    for pgc in range(1, galaxies + 1):
        for name in ("g.png", "r.png", "i.png", "gri.sdss.jpg"):
            (images / f"pgc{pgc}_d25x2_rot_{name}").hardlink_to(folder / f"{pgc % KINDS}_{name}")
    rows = [{"pgc": pgc, "inc": labels[pgc % KINDS], "inc_flg": 0} for pgc in range(1, galaxies + 1)]
    write_catalog(folder / "catalog.csv", rows)
    return {"images": str(images), "catalog": str(folder / "catalog.csv")}


class Memory(threading.Thread):
    """Record the most memory (MB) that a process needs until it ends, without the files that it maps."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.process, self.peak = psutil.Process(pid), 0.0
        self.start()

    def run(self):
        while True:
            try:
                memory = self.process.memory_info()
                # Pages of mapped sample files count as resident, but the system can drop them at any time.
                self.peak = max(self.peak, (memory.rss - memory.shared) / 2**20)
            except psutil.NoSuchProcess:
                return
            time.sleep(0.1)


def measure(client, folder, galaxies):
    """Run the pipeline on that many galaxies; return the run, its number of tasks and its peak memory (MB)."""
    sample = many(folder, galaxies)
    started = time.monotonic()
    run = start_full(
        sample=sample,
        size=SIZE,
        split={"niter": 0},
        augment={"nbatch": 1, "batchsize": 1},
        train={"training_batch_size": 64},
    )
    while not (pid := client.read_flow_run(run.id).infrastructure_pid):
        time.sleep(0.2)
    memory = Memory(int(pid.rpartition(":")[2]))
    run = finish(client, run.id, 1500)
    assert run.state.name == "Completed", run.state.message
    tasks = 0
    while page := tasks_of(client, run.id, offset=tasks):
        tasks += len(page)
    print(f"{galaxies} galaxies: {time.monotonic() - started:.0f} s, {tasks} tasks, peak {memory.peak:.0f} MB")
    return run, tasks, memory.peak


@pytest.mark.timeout(2400)
def test_production_of_20000_galaxies(service, tmp_path):
    with get_client(sync_client=True) as client:
        _, few_tasks, few_memory = measure(client, tmp_path / "few", 2_000)
        run, tasks, memory = measure(client, tmp_path / "many", 20_000)
    rows = artifacts_of(bucket_client(service), run)
    assert sum(row["stage"] == "prep" for row in rows) == 4 * 64
    assert few_tasks < tasks < 500
    # Only lists of names and digests grow with the number of galaxies: about 1 KB for each of 72,000 more images.
    assert memory < few_memory + 120
