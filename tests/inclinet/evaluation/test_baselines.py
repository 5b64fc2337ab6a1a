import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inclinet.errors import InclinetError
from inclinet.evaluation.baselines import axis_ratio_inclination, baseline_predictions
from inclinet.evaluation.results import evaluate

# A busy machine must not fail a test.
unhurried = settings(deadline=None, max_examples=50)


def test_axis_ratio_inclination():
    assert axis_ratio_inclination([1.0, 0.2, 0.1, 1.2]).tolist() == [0, 90, 90, 0]
    assert axis_ratio_inclination(np.cos(np.radians(60)), q0=0) == pytest.approx(60)
    assert axis_ratio_inclination(0.5) == pytest.approx(62.115, abs=0.001)
    assert np.isnan(axis_ratio_inclination(np.nan))
    with pytest.raises(ValueError, match="q0"):
        axis_ratio_inclination(0.5, q0=1)


@unhurried
@given(st.floats(45, 90), st.floats(0, 0.5))
def test_axis_ratio_of_a_disc_gives_its_inclination(inclination, q0):
    cos = np.cos(np.radians(inclination))
    q = np.sqrt(cos**2 * (1 - q0**2) + q0**2)
    # Close to 90 deg the formula takes the root of almost zero.
    assert axis_ratio_inclination(q, q0) == pytest.approx(inclination, abs=1e-4)


@pytest.mark.parametrize("indexed", [False, True])
def test_only_measured_galaxies_count(table, indexed):
    catalog = pd.DataFrame({"pgc": ["1", "2", "3", "9"], "b_a": [" 0.70 ", "", "0.00", "0.5"], "Sba": np.nan})
    if indexed:
        catalog = catalog.astype({"pgc": int}).set_index("pgc")
    baselines = baseline_predictions(table, catalog, train_mean=70)
    assert list(baselines) == ["mean of the labels", "axis ratio (b_a)"]
    assert baselines["mean of the labels"].tolist() == [70] * 4
    assert baselines["axis ratio (b_a)"].index.tolist() == [0, 1]
    found = evaluate(table, catalog)
    assert found["baselines"]["mean of the labels"]["bias"] == 0
    row = found["baselines"]["axis ratio (b_a)"]
    assert (row["n"], row["galaxies"]) == (2, 1)
    assert row["rms"] == pytest.approx(abs(axis_ratio_inclination(0.7) - 45))
    assert list(found["by_band"]["axis ratio (b_a)"]) == ["c", "g"]


def test_catalog_without_pgc(table):
    with pytest.raises(InclinetError, match="no column pgc"):
        evaluate(table, pd.DataFrame({"b_a": [0.5]}))
