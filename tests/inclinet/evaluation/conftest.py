"""A small table of predictions, and the published one."""

import pandas as pd
import pytest

from inclinet.evaluation.predictions import read_predictions


@pytest.fixture
def table():
    """Three galaxies in four images, two models, three networks."""
    return pd.DataFrame(
        {
            "pgc": [1, 1, 2, 3],
            "filter": ["c", "g", "r", "i"],
            "inc_m": [45, 45, 60, 90],
            "model4_0": [46.0, 47.0, 60.0, 88.0],
            "model4_1": [44.0, 45.0, 58.0, 89.0],
            "model5_0": [51.0, 45.0, 74.0, 90.0],
        }
    )


@pytest.fixture(scope="session")
def published_file(shared):
    """The published predictions of 12 networks."""
    return shared / "published_predictions.csv"


@pytest.fixture(scope="session")
def published(published_file):
    return read_predictions(published_file)
