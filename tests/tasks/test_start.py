"""Networks to start from, found and checked by tasks under a real Prefect server."""

import numpy as np
import pytest
from prefect import flow

from inclinet.errors import InclinetError
from inclinet.networks.build import build
from inclinet.networks.filenames import network_file
from inclinet.networks.save import save_network
from inclinet.preparation.split import left_out_of_all, sides, split_band
from inclinet.registry.galaxies import GALAXIES_FILE
from inclinet.registry.versions import VersionInfo, publish
from inclinet.settings import Split
from inclinet.storage.digests import sha256
from inclinet.storage.npz import write_arrays
from inclinet.training.start import StartRecord
from tasks.common import artifacts
from tasks.filenames import START_FILE, START_NETWORK_FILE
from tasks.start import check_starts_task, start_task

pytestmark = pytest.mark.xdist_group("tasks")

SIZE = 24
PGCS = np.arange(1, 201)


@pytest.fixture
def network(tmp_path):
    """The file of a network that nothing has trained."""
    (tmp_path / "version").mkdir()
    return save_network(build("model4", SIZE, seed=1), tmp_path / "version" / network_file(0, "model4"))


@pytest.fixture
def version(store, network):
    """A version with this network, trained on one galaxy, number 9,000,001."""
    (network.parent / GALAXIES_FILE).write_text("pgc,simulated,images\n9000001,1,1\n")
    return publish(store, network.parent, VersionInfo(size=SIZE, bands=("g",))).version


@pytest.fixture
def samples(store, tmp_path):
    """The split of 200 galaxies, by band."""
    packed = {
        "images": np.zeros((len(PGCS), SIZE, SIZE, 3), np.uint8),
        "labels": np.array([PGCS, np.full(len(PGCS), 60)]),
    }
    path = write_arrays(tmp_path / "packed.npz", packed)

    def work(folder):
        split_band(path, "g", SIZE, folder, Split(niter=1))
        return {}

    return {"g": artifacts().make("split", "g", inputs={}, settings=None, code="", work=work)}


@flow
def find(start, size=SIZE):
    return start_task(start, "model4", size, return_state=True).result()


@flow
def check(start, samples, subsamples=0, leave_out=True):
    state = check_starts_task({"model4": start}, samples, SIZE, subsamples, leave_out, return_state=True)
    return state.message if state.result() else ""


def read(reference, folder):
    path, record = artifacts().fetch(reference, folder, [START_NETWORK_FILE, START_FILE])
    return sha256(path), StartRecord.model_validate_json(record.read_bytes())


def test_the_network_of_a_version_is_kept_with_what_it_has_seen(store, version, network, samples, tmp_path):
    reference = find(version)
    digest, record = read(reference, tmp_path)
    assert digest == reference.files[START_NETWORK_FILE] == sha256(network)
    assert record == StartRecord(version=version, sha256=digest, galaxies=(9_000_001,))
    assert reference.is_new and not find(version).is_new
    assert "none of them seen" in check(reference, samples)


def test_a_file_is_the_same_wherever_it_lies(store, network, samples, tmp_path):
    store.put(network, "input/start.keras")
    first = find("input/start.keras")
    assert first == find(str(network)) == find(f"{store.uri}/input/start.keras")
    assert read(first, tmp_path)[1].galaxies is None
    assert "as far as is known" in check(first, samples)


def test_what_does_not_exist_or_fit_is_named(store, version):
    with pytest.raises(InclinetError, match="'input/no.keras' is neither a published version nor a file in s3://"):
        find("input/no.keras")
    with pytest.raises(InclinetError, match="takes images of 24 pixels a side, not 32"):
        find(version, 32)


@pytest.mark.parametrize(
    ("seen", "subsamples", "leave_out", "refused"),
    [("test", 0, True, True), ("left out", 0, True, True), ("left out", 0, False, False), ("left out", 1, False, True)],
)
def test_leaks_are_refused(store, network, samples, tmp_path, seen, subsamples, leave_out, refused):

    members = sides(PGCS, Split(niter=1))
    test = members["test", 0]
    chosen = test if seen == "test" else ~test & left_out_of_all(PGCS) & members["test", 1]
    rows = "".join(f"{pgc},0,1\n" for pgc in PGCS[chosen])
    assert rows
    (network.parent / GALAXIES_FILE).write_text(f"pgc,simulated,images\n{rows}")
    start = find(publish(store, network.parent, VersionInfo(size=SIZE, bands=("g",))).version)
    if refused:
        with pytest.raises(InclinetError, match=f"was trained on {chosen.sum()} of the"):
            check(start, samples, subsamples, leave_out)
    else:
        check(start, samples, subsamples, leave_out)
