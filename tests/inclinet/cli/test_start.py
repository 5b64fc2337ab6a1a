"""Training that starts from a published version or a file, on made data."""

import json

import pandas as pd
import pytest

from inclinet.data.catalog import SIMULATED_PGC
from inclinet.simulation.simulate import simulate

SETTINGS = ["--bands", "g", "-s", 24, "-n", 0, "-b", 2, "-z", 2, "-m", "model4", "--workers", 1]
MAY_HAVE_SEEN = "it may have seen test galaxies"


@pytest.fixture
def mocks(tmp_path):
    simulate(40, tmp_path / "mocks", seed=1, size=64)
    return ["-p", tmp_path / "mocks", "-c", tmp_path / "mocks" / "catalog.csv"]


def version_in(store):
    [bundle] = store.glob("registry/*/bundle.json")
    return bundle.parent, json.loads(bundle.read_text())


def test_a_version_and_a_file_to_start_from(inclinet, small_sample, mocks, tmp_path):
    discs = ["-p", small_sample / "galaxies", "-c", small_sample / "catalog.csv"]
    code, text = inclinet("full", *mocks, *SETTINGS, "-o", "first")
    assert code == 0, text
    store = tmp_path / "first" / "24x24-g"
    first, _ = version_in(store)
    before = set(pd.read_csv(first / "galaxies.csv")["pgc"])
    assert min(before) >= SIMULATED_PGC

    # The same galaxies again: some are left out now.
    code, text = inclinet("full", *mocks, *SETTINGS, "--start", first.name, "--store", store, "-o", "again")
    assert code == 1
    assert f"version {first.name} was trained on" in " ".join(text.split())
    assert "(option --start)" in text

    code, text = inclinet("full", *discs, *SETTINGS, "--start", first.name, "--store", store, "-o", "second")
    assert code == 0, text
    assert MAY_HAVE_SEEN not in text
    second, described = version_in(tmp_path / "second" / "24x24-g")
    table = pd.read_csv(second / "galaxies.csv").set_index("pgc")
    assert before < set(table.index)
    assert set(table.index[table["images"] == 0]) == before
    network = json.loads((first / "bundle.json").read_text())["files"]["Uset_000_model4.keras"]["sha256"]
    started = {"version": first.name, "sha256": network, "galaxies": len(before)}
    assert described["info"]["started_from"] == {"model4_0": started}
    assert described["info"]["settings"]["train"]["start"] == {"model4": network}
    card = (second / "README.md").read_text()
    assert f"The training started from version {first.name} (trained on {len(before)} galaxies)" in card

    file = tmp_path / "first" / "24x24-g" / "models" / "Uset_000_model4.keras"
    code, text = inclinet("full", *discs, *SETTINGS, "--start", file, "-o", "third")
    assert code == 0, text
    assert MAY_HAVE_SEEN in " ".join(text.split())
    third, described = version_in(tmp_path / "third" / "24x24-g")
    assert not (third / "galaxies.csv").exists()
    assert described["info"]["started_from"]["model4_0"]["galaxies"] is None
    assert MAY_HAVE_SEEN in (third / "README.md").read_text()
    assert MAY_HAVE_SEEN in (third / "report.html").read_text()
    assert MAY_HAVE_SEEN not in (second / "report.html").read_text()
    weights = [path / "Uset_000_model4.keras" for path in (second, third)]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_train_starts_from_a_file_step_by_step(inclinet, stored, tmp_path):
    arguments = ["-a", stored, "-i", stored / "samples", "-s", 24, "-n", 0, "-b", 2, "-m", "model4"]
    code, text = inclinet("train", *arguments, "-o", "first")
    assert code == 0, text
    file = tmp_path / "first" / "Uset_000_model4.keras"
    code, text = inclinet("train", *arguments, "-o", "second", "--start", file)
    assert code == 0, text
    record = json.loads((tmp_path / "second" / "Uset_000_model4_start.json").read_text())
    assert record["galaxies"] is None
    code, text = inclinet("train", *arguments[:-1], "model6", "-o", "third", "--start", file)
    assert code == 1
    assert "holds model4 for images of 24 pixels; a training of model6" in " ".join(text.split())
