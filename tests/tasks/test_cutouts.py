"""Cutouts for the service, through their tasks and flow, from a stand-in for the image servers."""

import csv

import pytest

from flows.cutouts import cutouts
from inclinet.cutouts.settings import CutoutBatch
from inclinet.errors import InclinetError
from tests.inclinet.cutouts.conftest import QUICK
from tests.inclinet.cutouts.stand_in import Galaxy

pytestmark = pytest.mark.xdist_group("tasks")

FOLDER = "input/galaxies"
FIELDS = ("pixels", "rate", "backoff", "attempts", "timeout")


@pytest.fixture
def catalogue(sky, store):
    """Put a catalogue of the first n of ten galaxies into the store."""

    def put(n=10):
        for k in range(1, n + 1):
            sky.galaxies[f"PGC {k}"] = Galaxy(10 * k, k, 2, 15 * k)
        lines = [f"{k} | {10 * k} | {k} | 2 | {15 * k}" for k in range(1, n + 1)]
        store.write("input/catalog.csv", "\n".join(["pgc | ra | dec | d25 | pa", *lines, ""]).encode())

    return put


def fetch(**settings):
    return cutouts(CutoutBatch(**QUICK.model_dump(include=set(FIELDS)), **{"chunk": 4} | settings), return_state=True)


def rows_of(store):
    return list(csv.DictReader(store.read(f"{FOLDER}/cutouts.csv").decode().splitlines()))


def names_in(store):
    return {entry.key.rpartition("/")[2] for entry in store.list(FOLDER)}


def test_a_catalogue_becomes_images_in_the_store(catalogue, sky, store):
    catalogue()
    sky.troubles[3.0] = ["404"]
    state = fetch()
    assert state.is_completed(), state.message
    assert state.message.startswith("9 cutouts in input/galaxies, 1 are not to be had; see s3://")
    rows = rows_of(store)
    assert [row["name"] for row in rows] == [f"PGC {k}" for k in range(1, 11)]
    assert names_in(store) == {"cutouts.csv", *(row["file"] for row in rows if row["file"])}
    assert store.read(f"{FOLDER}/pgc1_d25x2_rot_gri.sdss.jpg")[:2] == b"\xff\xd8"
    assert [row["problem"] for row in rows if not row["file"]] == ["the server answers 404 Not Found busy"]
    assert not list(store.list(f"{FOLDER}/.cutouts"))


def test_only_what_is_missing_is_fetched(catalogue, sky, store):
    catalogue(5)
    fetch()
    before = rows_of(store)
    store.delete(f"{FOLDER}/{before[1]['file']}")
    sky.requests.clear()
    catalogue(7)
    assert fetch(chunk=3).is_completed()
    assert len(sky.requests) == 3
    after = rows_of(store)
    assert len(after) == 7
    assert [after[n] for n in (0, 2, 3, 4)] == [before[n] for n in (0, 2, 3, 4)]


def test_a_run_that_ended_early_resumes(catalogue, sky, store, monkeypatch):
    catalogue()
    with monkeypatch.context() as patch:
        patch.setattr("flows.cutouts.gather_cutouts_task", None)  # the run ends after its chunks
        assert fetch().is_failed()
    assert "cutouts.csv" not in names_in(store)
    store.delete(f"{FOLDER}/pgc2_d25x2_rot_gri.sdss.jpg")
    sky.requests.clear()
    assert fetch(chunk=5).is_completed()
    assert len(sky.requests) == 1
    assert all(row["file"] for row in rows_of(store))


def test_images_of_others_stay(catalogue, sky, store):
    catalogue(2)
    store.write(f"{FOLDER}/pgc1_d25x2_rot_gri.sdss.jpg", b"my own")
    assert fetch().is_completed()
    assert store.read(f"{FOLDER}/pgc1_d25x2_rot_gri.sdss.jpg") == b"my own"
    assert rows_of(store)[0]["problem"].endswith("is not a cutout of this table; move it away")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"catalog": "input/none.csv"}, "catalogue 'input/none.csv' is not in"),
        ({"bands": ["g"]}, "has no band g"),
        ({"size": "big"}, "size 'big' is no angle"),
    ],
)
def test_wrong_settings_fail_at_once(catalogue, sky, store, settings, message):
    catalogue(1)
    with pytest.raises(InclinetError, match=message):
        fetch(**settings).result()
    assert not sky.requests


def test_a_run_without_any_cutout_fails_and_says_why(catalogue, sky, store):
    catalogue(2)
    sky.troubles[1.0] = sky.troubles[2.0] = ["404"] * 2
    with pytest.raises(InclinetError, match="no cutouts: the server answers 404 Not Found busy"):
        fetch().result()
    assert len(rows_of(store)) == 2


def test_surveys_do_not_mix(catalogue, sky, store):
    catalogue(1)
    assert fetch().is_completed()
    with pytest.raises(InclinetError, match="input/galaxies holds cutouts of sdss"):
        fetch(survey="ls-dr10").result()
