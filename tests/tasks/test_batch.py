"""Batch prediction through its tasks, with a real network that was not trained."""

import csv
import json
import shutil

import numpy as np
import pytest
from prefect import flow

from inclinet.errors import InclinetError
from inclinet.registry.champion import promote
from inclinet.registry.versions import VersionInfo, publish
from inclinet.settings import Predict
from inclinet.storage.artifacts import DamagedArtifactError
from tasks.batch import _cut, children_for, find_version_task, gather_task, list_images_task
from tasks.predict import predict_chunk_task

pytestmark = pytest.mark.xdist_group("tasks")

SIZE = 24


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """Two files of networks, which differ in their weights."""
    from inclinet.networks.build import build
    from inclinet.networks.save import save_network

    folder = tmp_path_factory.mktemp("networks")
    return [save_network(build("model4", SIZE, seed=seed), folder / f"{seed}.keras") for seed in (1, 2)]


@pytest.fixture
def versions(store, networks, tmp_path):
    """The names of two published versions."""

    def publish_one(network):
        folder = tmp_path / network.stem
        folder.mkdir()
        (folder / "Uset_000_model4.keras").hardlink_to(network)
        return publish(store, folder, VersionInfo(size=SIZE, bands=("c", "g"))).version

    return [publish_one(network) for network in networks]


@pytest.fixture
def upload(store, small_sample):
    """Put the images of one band of galaxies into the store."""

    def put(*pgcs):
        for pgc in pgcs:
            store.put(small_sample / "galaxies" / f"pgc{pgc}_d25x2_rot_g.png", f"input/galaxies/pgc{pgc}_x_g.png")

    return put


@flow
def batch(what, version):
    """Return the listing, and the states of the tasks of its chunks."""
    listing = list_images_task(what, version, return_state=True).result()
    states = [
        predict_chunk_task(what, version, listing.reference, chunk, return_state=True) for chunk in listing.chunks
    ]
    parts = [*listing.predicted, *(state.result() for state in states)]
    gather_task("run", what, version, f"version {version}", listing.reference, parts)
    return listing, states


def read(store, name):
    return list(csv.DictReader(store.read(f"predictions/run/{name}").decode().splitlines()))


@pytest.fixture
def predict(store, versions):
    """Predict all images; gives the listing, the states of the chunks, and the table by image name."""

    def go(version=versions[0], chunk=4):
        listing, states = batch(Predict(chunk=chunk), version)
        rows = read(store, "images.csv")
        table = {row["image"].rpartition("/")[2]: row for row in rows}
        assert len(table) == len(rows) == listing.images
        return listing, states, table

    return go


def test_every_run_leaves_what_shows_drift(upload, predict, store):
    upload(*range(1, 6))
    _, _, table = predict()
    drift = json.loads(store.read("predictions/run/drift.json"))
    assert drift["images"] == drift["answers"] == len(table)
    assert drift["flagged"] == sum(bool(row["flag"]) for row in table.values()) / len(table)
    assert sum(drift["inclinations"]) == pytest.approx(1, abs=0.01)


def test_an_image_more_costs_one_image(upload, predict):
    upload(*range(1, 11))
    listing, states, before = predict()
    assert (listing.images, listing.missing) == (10, 10)
    assert [state.name for state in states] == ["Completed"] * 3
    upload(11)
    listing, states, after = predict()
    assert (listing.images, listing.missing) == (11, 1)
    assert [state.result().facts["images"] for state in states] == [1]
    assert {name: row for name, row in after.items() if name in before} == before
    listing, states, again = predict()
    assert (listing.missing, states) == (0, [])
    assert again == after


def test_another_size_of_chunks_predicts_nothing_again(upload, predict):
    upload(*range(1, 6))
    predict(chunk=2)
    assert predict(chunk=5)[0].missing == 0


def test_a_rewritten_image_is_predicted_again_and_a_removed_one_is_left_out(upload, predict, store):
    upload(1, 2, 3)
    _, _, before = predict()
    store.write("input/galaxies/pgc2_x_g.png", b"no image")
    store.delete("input/galaxies/pgc3_x_g.png")
    listing, _, after = predict()
    assert (listing.images, listing.missing) == (2, 1)
    assert after["pgc2_x_g.png"]["flag"] == "not predicted"
    assert after["pgc1_x_g.png"] == before["pgc1_x_g.png"]


def test_another_version_predicts_all_images(upload, predict, versions):
    upload(1, 2)
    predict()
    assert predict(versions[1])[0].missing == 2
    assert predict(versions[0])[0].missing == 0


def test_damaged_predictions_are_remade(upload, predict, store, tmp_path):
    upload(1, 2)
    _, [state], before = predict()
    reference = state.result()
    [key] = [entry.key for entry in store.list(reference.folder) if entry.key.endswith("predictions.csv")]
    content = store.read(key)
    store.write(key, b"x" * len(content))
    shutil.rmtree(tmp_path / "cache")
    with pytest.raises(DamagedArtifactError):
        predict()
    listing, _, after = predict()
    assert (listing.missing, after) == (2, before)


@flow
def look_up(version):
    return find_version_task(version, return_state=True).result()


def test_the_run_says_what_the_version_was_trained_on(versions, store):
    version, statement = look_up(versions[0])
    assert version == versions[0]
    assert statement.startswith(f"version {version}: trained on an unknown number of galaxies; its error is unknown")
    promote(store, versions[1], "better")
    assert look_up("")[0] == versions[1]


def test_every_row_names_its_version(upload, predict, versions):
    upload(1)
    assert [row["version"] for row in predict()[2].values()] == versions[:1]


def test_images_of_a_galaxy_in_several_chunks_give_one_row(upload, predict, small_sample, store):
    upload(1, 2)
    for end in ("r.png", "i.png", "gri.sdss.jpg"):
        store.put(small_sample / "galaxies" / f"pgc1_d25x2_rot_{end}", f"input/galaxies/pgc1_x_{end}")
    store.write("input/galaxies/pgc3_x_g.png", b"no image")
    store.write("input/galaxies/12.png", b"no image")
    images = predict(chunk=2)[2]
    first, second, *others = sorted(read(store, "predictions.csv"), key=lambda row: row["pgc"] or "9")
    answers = [float(row["inclination"]) for row in images.values() if row["pgc"] == "1"]
    assert (first["pgc"], first["n_images"], len(answers)) == ("1", "4", 4)
    assert float(first["inclination"]) == pytest.approx(np.median(answers), abs=0.006)
    assert first["problem"] == ""
    assert second["inclination"] == images["pgc2_x_g.png"]["inclination"]
    assert [(row["pgc"], row["n_images"], row["flag"]) for row in others] == [
        ("3", "0", "not predicted"),
        ("", "0", "not predicted"),
    ]


def test_folders_in_the_folder_are_searched_if_asked(upload, versions, store, small_sample):
    upload(1)
    store.put(small_sample / "galaxies" / "pgc2_d25x2_rot_g.png", "input/galaxies/more/and/pgc2_x_g.png")
    assert batch(Predict(), versions[0])[0].images == 1
    listing, _ = batch(Predict(recursive=True), versions[0])
    assert (listing.images, listing.missing) == (2, 1)
    assert sorted(row["pgc"] for row in read(store, "predictions.csv")) == ["1", "2"]
    [found] = [row["image"] for row in read(store, "images.csv") if row["pgc"] == "2"]
    assert found.endswith("galaxies/more/and/pgc2_x_g.png")


@pytest.mark.parametrize("recursive", [False, True])
def test_links_without_a_target_do_not_stop_the_others(versions, small_sample, tmp_path, recursive):
    (tmp_path / "galaxies" / "more").mkdir(parents=True)
    (tmp_path / "galaxies" / "pgc1_x_g.png").hardlink_to(small_sample / "galaxies" / "pgc1_d25x2_rot_g.png")
    (tmp_path / "galaxies" / "pgc2_x_g.png").symlink_to("nowhere.png")
    (tmp_path / "galaxies" / "more" / "circle").symlink_to(tmp_path / "galaxies")
    listing, _ = batch(Predict(images=str(tmp_path / "galaxies"), recursive=recursive), versions[0])
    assert listing.images == 1


def test_a_folder_without_images_is_named(versions):
    with pytest.raises(InclinetError, match="input/galaxies: no image among 0 files in"):
        batch(Predict(), versions[0])


def test_a_folder_of_broken_images_alone_fails_and_says_why(versions, predict, store):
    store.write("input/galaxies/pgc3_x_g.png", b"no image")
    store.write("input/galaxies/pgc4_x_g.png", b"no image")
    with pytest.raises(InclinetError, match=r"nothing was predicted: not a readable image .*\(2 of 2 galaxies"):
        predict()
    assert [row["inclination"] for row in read(store, "predictions.csv")] == ["", ""]


@pytest.mark.parametrize(
    ("chunks", "free", "children"),
    [(1, 5, 0), (2, 5, 0), (3, 5, 1), (4, 5, 1), (5, 5, 2), (100, 5, 5), (100, 0, 0), (0, 5, 0)],
)
def test_few_chunks_are_not_shared(chunks, free, children):
    assert children_for(chunks, free) == children


@pytest.mark.parametrize(
    ("images", "children", "sizes"),
    [
        (5000, 0, [2000, 2000, 1000]),
        (5000, 1, [256] * 19 + [136]),
        (64_000, 1, [2000] * 32),
        (20_000, 3, [313] * 63 + [281]),
    ],
)
def test_shared_chunks_are_small_enough_to_end_together(images, children, sizes):
    chunks = _cut(list(range(images)), 2000, children)
    assert [len(members) for members in chunks.values()] == sizes
    assert [image for members in chunks.values() for image in members] == list(range(images))
