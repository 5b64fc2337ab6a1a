import json
import shutil

import httpx
import pandas as pd
import pytest
from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError, EndpointConnectionError
from prefect import flow, task

from inclinet.errors import InclinetError
from inclinet.settings import Sample, Split
from inclinet.storage.artifacts import DamagedArtifactError
from inclinet.storage.bucket import S3Store
from tasks.catalogue import read_catalogue, read_labels
from tasks.common import _worth_retrying, artifacts, is_transient, locate
from tasks.compress import compress_task
from tasks.filenames import FILES_FILE
from tasks.inputs import catalogue_task, find_sample_task, inventory_task
from tasks.prep import prep_task
from tasks.split import split_task

pytestmark = pytest.mark.xdist_group("tasks")


def s3_error(code, status):
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "GetObject")


def upload_failed(cause):
    """Return the error that boto3 raises within the handling of `cause`."""
    error = S3UploadFailedError("Failed to upload")
    error.__context__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (s3_error("InternalError", 500), True),
        (s3_error("SlowDown", 503), True),
        (s3_error("AccessDenied", 403), False),
        (s3_error("NoSuchBucket", 404), False),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), True),
        (httpx.ConnectError("no"), True),
        (ConnectionResetError(), True),
        (InclinetError("bad catalogue"), False),
        (DamagedArtifactError("flipped"), False),
        (ValueError("a bug"), False),
        (MemoryError(), False),
        (upload_failed(s3_error("AccessDenied", 403)), False),
        (upload_failed(s3_error("InternalError", 500)), True),
    ],
)
def test_only_transient_errors_are_retried(error, expected):
    assert is_transient(error) is expected


@pytest.mark.parametrize(("error", "tries"), [(ConnectionResetError("gone"), 3), (InclinetError("bad"), 1)])
def test_a_task_is_retried_only_when_it_may_help(prefect_api, error, tries):
    calls = []

    @task(retries=2, retry_delay_seconds=0, retry_condition_fn=_worth_retrying)
    def fails():
        calls.append(1)
        raise error

    @flow
    def run():
        fails()

    with pytest.raises(type(error)):
        run()
    assert len(calls) == tries


@pytest.fixture
def uploaded(store, small_sample):
    """The plain discs in the store, in band g only."""
    for path in (small_sample / "galaxies").glob("*_g.png"):
        store.put(path, f"input/galaxies/{path.name}")
    store.put(small_sample / "catalog.csv", "input/catalog.csv")
    return Sample(bands=("g",))


@pytest.fixture
def in_a_folder(uploaded, small_sample, tmp_path):
    """The same in a folder of this machine."""
    shutil.copytree(small_sample / "galaxies", tmp_path / "galaxies")
    local = {"images": str(tmp_path / "galaxies"), "catalog": str(small_sample / "catalog.csv")}
    return uploaded.model_copy(update=local)


@flow
def prepare(sample):
    """Run the tasks of one band up to the split; return name of the state and reference of each."""
    states = {"catalogue": catalogue_task(sample, return_state=True)}
    labels = states["catalogue"].result()
    states["inventory"] = inventory_task(sample, "g", labels, return_state=True)
    listing = states["inventory"].result()
    chunks = {}
    for chunk in listing.facts["chunks"]:
        states[f"prep-{chunk}"] = prep_task(sample, "g", 16, listing, chunk, return_state=True)
        chunks[chunk] = states[f"prep-{chunk}"].result()
    states["compress"] = compress_task("g", 16, chunks, return_state=True)
    states["split"] = split_task("g", 16, states["compress"].result(), Split(niter=1), return_state=True)
    return {name: (state.name, state.result()) for name, state in states.items()}


def names(found):
    return {name: state for name, (state, _) in found.items()}


def test_existing_artifacts_are_reused_and_changed_ones_made(uploaded, store, small_sample):
    first = prepare(uploaded)
    assert set(names(first).values()) == {"Completed"}
    assert first["split"][1].facts["train"] + first["split"][1].facts["test"] == 60
    assert set(names(prepare(uploaded)).values()) == {"Cached"}
    # One changed image: the catalogue stays, everything that depends on the image is remade.
    store.put(small_sample / "galaxies" / "pgc2_d25x2_rot_g.png", "input/galaxies/pgc1_d25x2_rot_g.png")
    changed = names(prepare(uploaded))
    assert changed.pop("catalogue") == "Cached"
    assert set(changed.values()) == {"Completed"}


def test_one_more_galaxy_remakes_one_bucket(uploaded, store, small_sample, monkeypatch):
    monkeypatch.setattr("tasks.inputs._BUCKET", 20)
    store.delete("input/galaxies/pgc60_d25x2_rot_g.png")
    before = prepare(uploaded)
    store.put(small_sample / "galaxies" / "pgc60_d25x2_rot_g.png", "input/galaxies/pgc60_d25x2_rot_g.png")
    after = prepare(uploaded)
    buckets = {name: (state, reference) for name, (state, reference) in after.items() if name.startswith("prep-")}
    assert len(buckets) >= 4
    made = [reference for state, reference in buckets.values() if state == "Completed"]
    assert {state for state, _ in buckets.values()} == {"Completed", "Cached"}
    assert sum(reference.facts["images"] for reference in made) <= 21
    assert after["split"][1].facts != before["split"][1].facts


def test_an_image_without_a_galaxy_is_listed_though_nothing_else_changed(uploaded, store):
    before = prepare(uploaded)["inventory"][1]
    store.write("input/galaxies/pgc777_d25x2_rot_g.png", b"no row")
    after = prepare(uploaded)
    assert "pgc777" in store.read(f"{after['inventory'][1].folder}/skipped.csv").decode()
    assert after["inventory"][1].facts["found"] == before.facts["found"] + 1
    assert {state for name, state in names(after).items() if name.startswith("prep-")} == {"Cached"}


@pytest.mark.parametrize("memo", [b"null", b"[1]", b'{"input/galaxies/pgc1_d25x2_rot_g.png": null}', b"\xff{"])
def test_a_damaged_memo_of_digests_is_ignored(in_a_folder, store, memo):
    before = prepare(in_a_folder)["inventory"][1]
    [entry] = store.list("digests")
    store.write(entry.key, memo)
    assert prepare(in_a_folder)["inventory"] == ("Cached", before)


def test_images_in_a_bucket_are_read_once(uploaded, monkeypatch):
    """The listing tells them apart; only prep reads them."""
    read, whole = [], S3Store.read_with_fingerprint

    def count(store, key):
        read.append(key)
        return whole(store, key)

    monkeypatch.setattr(S3Store, "read_with_fingerprint", count)
    prepare(uploaded)
    assert sum(key.endswith(".png") for key in read) == 60
    assert len({key for key in read if key.endswith(".png")}) == 60


@pytest.mark.parametrize("where", ["uploaded", "in_a_folder"])
def test_an_image_that_changes_during_the_run_is_not_taken_for_the_listed_one(where, request, store, tmp_path):
    sample = request.getfixturevalue(where)

    @flow
    def change_in_between():
        labels = catalogue_task(sample, return_state=True).result()
        listing = inventory_task(sample, "g", labels, return_state=True).result()
        of, key = locate(f"{sample.images}/pgc1_d25x2_rot_g.png", store)
        of.write(key, b"another")
        prep_task(sample, "g", 16, listing, "all")

    with pytest.raises(InclinetError, match="pgc1_d25x2_rot_g.png was changed during the run"):
        change_in_between()


def test_whether_there_is_a_sample(uploaded, store):
    @flow
    def find(sample):
        return find_sample_task(sample, return_state=True).result()

    nothing = {"images": "input/none", "catalog": "input/none.csv"}
    assert find(uploaded) is True
    assert find(uploaded.model_copy(update={"images": "input/none"}))
    assert find(uploaded.model_copy(update={"catalog": "input/none.csv"}))
    assert not find(uploaded.model_copy(update=nothing))


def test_a_damaged_artifact_is_remade(uploaded, store):
    reference = prepare(uploaded)["compress"][1]
    store.write(f"{reference.folder}/16x16_g.npz", b"x" * 100)
    again = prepare(uploaded)
    assert again["compress"][0] == "Completed"
    assert again["compress"][1].digest == reference.digest


def test_skipped_galaxies_are_listed(uploaded, store):
    store.write("input/galaxies/pgc7_d25x2_rot_g.png", b"not an image")
    store.write("input/galaxies/pgc777_d25x2_rot_g.png", b"no row")
    found = prepare(uploaded)
    assert found["prep-all"][1].facts == {"images": 59, "skipped": 1}
    assert "pgc7_d25x2_rot_g.png" in store.read(f"{found['prep-all'][1].folder}/skipped.csv").decode()
    assert "pgc777" in store.read(f"{found['inventory'][1].folder}/skipped.csv").decode()
    listed = json.loads(store.read(f"{found['inventory'][1].folder}/{FILES_FILE}"))
    assert sum(len(rows) for rows in listed.values()) == 60


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"catalog": "input/none.csv"}, "catalogue 'input/none.csv' is not in"),
        ({"images": "input/nothing"}, "no image such as pgc<ID>_d25x2_rot_g"),
        ({"images": "../secrets"}, "does not stay within"),
    ],
)
def test_bad_inputs_are_named(uploaded, change, message):
    with pytest.raises(InclinetError, match=message):
        prepare(uploaded.model_copy(update=change))


def test_a_slash_at_the_end_changes_nothing(uploaded):
    assert prepare(uploaded.model_copy(update={"images": "input/galaxies/"}))["split"][0] == "Completed"


def test_inputs_may_lie_in_a_folder(in_a_folder):
    assert prepare(in_a_folder)["split"][0] == "Completed"


@pytest.fixture
def named_in_a_column(uploaded, store, small_sample, tmp_path):
    """The same galaxies under other names, their images named by a column: paths in the folder, paths, addresses."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for pgc in range(1, 61):
        content = (small_sample / "galaxies" / f"pgc{pgc}_d25x2_rot_g.png").read_bytes()
        (folder / f"ü {pgc}.png").write_bytes(content)
        store.write(f"input/deeper/one/{pgc}.picture", content)
    table = pd.read_csv(small_sample / "catalog.csv", sep="|", skipinitialspace=True).rename(columns=str.strip)
    cells = [
        (f"one/{pgc}.picture", str(folder / f"ü {pgc}.png"), f"{store.uri}/input/deeper/one/{pgc}.picture")[pgc % 3]
        for pgc in table["pgc"]
    ]
    odd = {
        5: "one/none.png",
        6: "../../../../../etc/passwd",
        7: "s3://no-such-bucket-here/a.png",
        8: "",
        9: "http://x/y",
    }
    cells = [odd.get(pgc, cell) for pgc, cell in zip(table["pgc"], cells, strict=True)]
    names = [f"PGC {pgc:06d}" if pgc % 2 else str(pgc) for pgc in table["pgc"]]
    columns = {"Object": names, "Incl": table["inc"], "Flag": table["inc_flg"], "File g": cells}
    store.write("input/other.csv", pd.DataFrame(columns).to_csv(index=False, sep=";").encode("utf-16"))
    return Sample(
        images="input/deeper",
        catalog="input/other.csv",
        bands=("g",),
        column=("pgc=OBJECT", "inc=incl", "inc_flg=Flag"),
        image_column="File {band}",
    )


def test_a_catalogue_that_names_the_images_gives_the_same(uploaded, named_in_a_column, store):
    by_name, by_column = prepare(uploaded), prepare(named_in_a_column)
    reasons = store.read(f"{by_column['inventory'][1].folder}/skipped.csv").decode().splitlines()[1:]
    found = dict(line.split(",", 1) for line in reasons)
    assert sorted(found, key=int) == ["5", "6", "7", "8", "9"]
    assert found["5"] == "one/none.png: no such file"
    assert "does not stay within" in found["6"]
    assert "s3://no-such-bucket-here" in found["7"]
    assert found["8"] == "no image in band g"
    assert "give a path or an s3:// address" in found["9"]
    small = [json.loads(store.read(f"{made['inventory'][1].folder}/{FILES_FILE}")) for made in (by_name, by_column)]
    rows = [{row[0]: row[3] for rows in one.values() for row in rows} for one in small]
    assert rows[1] == {pgc: row for pgc, row in rows[0].items() if str(pgc) not in found}
    assert by_column["split"][1].facts["train"] + by_column["split"][1].facts["test"] == 55
    assert set(names(prepare(named_in_a_column)).values()) == {"Cached"}


def test_an_image_named_by_a_column_is_remade_when_it_changes(named_in_a_column, store, small_sample):
    prepare(named_in_a_column)
    store.put(small_sample / "galaxies" / "pgc2_d25x2_rot_g.png", "input/deeper/one/3.picture")
    changed = names(prepare(named_in_a_column))
    assert changed.pop("catalogue") == "Cached"
    assert set(changed.values()) == {"Completed"}


def test_another_meaning_of_a_column_is_another_catalogue(named_in_a_column):
    @flow
    def read(sample):
        return catalogue_task(sample, return_state=True).result()

    first = read(named_in_a_column)
    without = read(named_in_a_column.model_copy(update={"column": named_in_a_column.column[:2]}))
    assert first.digest != without.digest
    assert read_catalogue(first).labels.keys() == read_labels(first).keys() == read_labels(without).keys()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_column": "nothing"}, "there is no column 'nothing'; the catalogue has Object, Incl, Flag, File g"),
        (
            {"images": "input/none", "image_column": "Flag"},
            "none of the 60 images in band g of the catalogue was",
        ),
        ({"column": ("pgc=nothing",)}, "there is no column 'nothing'"),
    ],
)
def test_columns_that_lead_nowhere_are_named(named_in_a_column, change, message):
    with pytest.raises(InclinetError, match=message):
        prepare(named_in_a_column.model_copy(update=change))


def test_a_worker_without_a_store_says_so(monkeypatch):
    monkeypatch.delenv("INCLINET_STORE", raising=False)
    with pytest.raises(InclinetError, match="INCLINET_STORE is not set"):
        artifacts()
