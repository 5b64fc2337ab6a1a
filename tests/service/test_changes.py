"""A change remakes only what depends on it, as the artifacts show that a run made."""

import hashlib
import json
import shutil

import numpy as np
import pytest
from PIL import Image
from prefect import get_client

from deployments.service import BUCKET, bucket_client
from inclinet.preparation.split import sides
from inclinet.settings import Split
from tests.conftest import disc
from tests.service.runs import keys, made_by, run_full

pytestmark = [pytest.mark.service, pytest.mark.slow, pytest.mark.xdist_group("service")]

SIZE = 26
BANDS = ("g", "r", "i", "gri")
NETWORKS = {"network-residual-0", "network-residual-1"}
BATCHES = {"augment-0-01", "augment-0-02", "augment-1-01", "augment-1-02"}
MONITORS = {"augment-test", "augment-left-0", "augment-left-1"}


def of_bands(stages, bands=BANDS):
    return {f"{stage}-{band}{'-all' * (stage == 'prep')}" for stage in stages for band in bands}


@pytest.fixture(scope="module")
def folder(small_sample, tmp_path_factory):
    """A copy of the plain discs, for a test to change."""
    copied = tmp_path_factory.mktemp("changed")
    shutil.copytree(small_sample, copied, dirs_exist_ok=True)
    return copied


@pytest.fixture(scope="module")
def run(service, put, folder):
    """A function that runs the pipeline on the sample as it is now, and returns the names of the artifacts it made."""
    bucket = bucket_client(service)

    def go(**changes):
        with get_client(sync_client=True) as client:
            done, _, states = run_full(client, sample=put(folder, "changes"), size=SIZE, **changes)
        assert done.state.name == "Completed", done.state.message
        made = made_by(bucket, done)
        ran = {name for name, state in states.items() if state != "Cached" and not name.startswith(("step", "find"))}
        # Only the stages that made an artifact did not end as Cached.
        assert {name.partition("-")[0] for name in made} == {name.partition("-")[0] for name in ran} - {
            "start",
            "galaxies",
            "index",
            "publish",
            "decide",
            "summary",
        }
        return made

    go()
    return go


def test_the_same_again_makes_nothing(run):
    assert run() == set()


def test_another_augmentation_seed(run):
    more = {"augment": {"nbatch": 2, "batchsize": 2, "seed": 7}}
    assert run(**more) == BATCHES | NETWORKS | {"evaluate-all"}


def test_one_more_network(run):
    settings = {"models": ["residual", "model6"], "N_batch_iter": 2, "training_batch_size": 16}
    assert run(train=settings) == {"network-model6-0", "network-model6-1", "evaluate-all"}


def of_the_test_set(numbers):
    """Return a galaxy of the test set."""
    return int(numbers[sides(numbers, Split())["test", 0]][0])


def test_one_changed_pixel_file(run, folder):
    [path] = folder.glob(f"galaxies/pgc{of_the_test_set(np.arange(1, 61))}_*_g.png")
    before = path.read_bytes()
    image = Image.open(path)
    image.putpixel((24, 24), 255)
    image.save(path)
    made = run()
    path.write_bytes(before)
    upstream = of_bands(["inventory", "prep", "compress", "split"], ["g"])
    depending = upstream | {"augment-test"} | NETWORKS
    # Networks hardly trained may predict the same.
    assert depending <= made <= depending | {"evaluate-all", "skipped-galaxies"}
    # With the old file back, everything is reused.
    assert run() == set()


def test_one_more_galaxy(run, folder):
    pgc = of_the_test_set(np.arange(1000, 1100))
    image = disc(48, 70)
    Image.fromarray(image).save(folder / "galaxies" / f"pgc{pgc}_d25x2_rot_gri.sdss.jpg")
    for band in "gri":
        Image.fromarray(255 - image[..., 0]).save(folder / "galaxies" / f"pgc{pgc}_d25x2_rot_{band}.png")
    with (folder / "catalog.csv").open("a") as file:
        file.write(f"{pgc} | 70 | 0 |  |  | 0.5\n")
    made = run()
    assert made >= {"catalogue-catalogue", "augment-test"} | NETWORKS | of_bands(
        ["inventory", "prep", "compress", "split"]
    )
    # The galaxy is in the test set, so the training batches stay the same.
    assert not made & (BATCHES | {"augment-left-0", "augment-left-1"})


def test_a_change_of_the_code_of_a_stage(run, project):
    path = project / "inclinet" / "preparation" / "augment.py"
    before = path.read_text()
    path.write_text(before + "\n# a comment\n")
    made = run()
    path.write_text(before)
    # The new code makes the same batches, so nothing after them is remade.
    assert made == BATCHES | MONITORS


def test_a_network_leads_back_to_its_images(run, service, folder):
    run()  # so that the newest lineage is that of this run
    bucket = bucket_client(service)

    def read(key):
        return json.loads(bucket.get_object(Bucket=BUCKET, Key=key)["Body"].read())

    newest = max(
        (key for key in keys(bucket, "runs/") if key.endswith("lineage.json")),
        key=lambda key: bucket.head_object(Bucket=BUCKET, Key=key)["LastModified"],
    )
    networks = read(newest)["networks"]
    assert set(networks) == {"residual-0", "residual-1"}
    for lineage in networks.values():
        assert len(lineage["catalogue"]) == 1
        assert len(lineage["images"]) == len(BANDS)
        listed = read(lineage["images"][0])
        rows = [row for chunk in listed.values() for row in chunk]
        assert len(rows) >= 60
        for _, name, digest, _ in rows:
            [image] = folder.rglob(name)
            assert hashlib.md5(image.read_bytes()).hexdigest() == digest  # an ETag
