"""Fixtures of the simulation's tests."""

import pandas as pd
import pytest

from inclinet.simulation.simulate import simulate


def read_cells(catalog):
    """Return the catalogue's cells as text, without padding."""
    table = pd.read_csv(catalog, sep="|", dtype=str, keep_default_na=False).map(str.strip)
    return table.rename(columns=str.strip)


@pytest.fixture(scope="module")
def mocks(tmp_path_factory):
    """Folder of 24 mock galaxies and their catalogue."""
    folder = tmp_path_factory.mktemp("mocks")
    assert simulate(24, folder, seed=3, size=64, workers=1) == folder / "catalog.csv"
    return folder
