"""Runs of the service that start from a published version, cross-validated."""

import json

import pytest
from prefect import get_client

from deployments.service import BUCKET, bucket_client
from inclinet.simulation.simulate import simulate
from tests.service.runs import finish, keys, run_full, start_full

pytestmark = [pytest.mark.service, pytest.mark.slow, pytest.mark.xdist_group("service")]

SIZE = 30  # another one than in the other tests, so that nothing made here is reused there
TRAIN = {"models": ["model4"], "N_batch_iter": 2, "training_batch_size": 16}


@pytest.fixture(scope="module")
def discs(put, small_sample):
    return put(small_sample, "start-discs", bands=["g"])


@pytest.fixture(scope="module")
def mocks(put, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mocks")
    simulate(40, folder / "galaxies", seed=1, size=64).rename(folder / "catalog.csv")
    return put(folder, "start-mocks", bands=["g"])


def described(bucket, version):
    return json.loads(bucket.get_object(Bucket=BUCKET, Key=f"registry/{version}/bundle.json")["Body"].read())


def versions(bucket):
    return {key.split("/")[1] for key in keys(bucket, "registry/") if key.endswith("/bundle.json")}


def test_a_cross_validated_run_starts_from_a_version(service, discs, mocks):
    bucket = bucket_client(service)
    before = versions(bucket)
    with get_client(sync_client=True) as client:
        run, _, _ = run_full(client, size=SIZE, sample=mocks, split={"niter": 0}, train=TRAIN)
        assert run.state.name == "Completed", run.state.message
        [first] = versions(bucket) - before

        refused = finish(client, start_full(size=SIZE, sample=mocks, train=TRAIN | {"start": first}).id)
        assert refused.state.name == "Failed"
        assert f"version {first} was trained on" in refused.state.message

        how = {"size": SIZE, "sample": discs, "split": {"folds": 2}, "train": TRAIN | {"start": first}}
        run, children, states = run_full(client, **how)
        assert run.state.name == "Completed", run.state.message
        assert len(children) == 1  # the whole training set and two folds, one after the other
        assert states["check-start"] == "Completed"
        [second] = versions(bucket) - before - {first}
        _, again, _ = run_full(client, **how)
        assert not again
    network = described(bucket, first)["files"]["Uset_000_model4.keras"]["sha256"]
    info = described(bucket, second)["info"]
    assert list(info["started_from"]) == ["model4_0"]
    started = info["started_from"]["model4_0"]
    assert (started["version"], started["sha256"]) == (first, network)
    assert info["test"]["folds"] == 2
    assert "start" in info["lineage"]["model4_0"]["inputs"]
    galaxies = bucket.get_object(Bucket=BUCKET, Key=f"registry/{second}/galaxies.csv")["Body"].read().decode()
    assert len(galaxies.splitlines()) == 1 + info["test"]["galaxies"] + started["galaxies"]
