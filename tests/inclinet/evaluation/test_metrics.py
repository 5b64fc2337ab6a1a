import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from inclinet.errors import InclinetError
from inclinet.evaluation.metrics import compute_metrics, ensemble_predictions

# A busy machine must not fail a test.
unhurried = settings(deadline=None, max_examples=50)
inclinations = st.floats(45, 90)
pairs = st.integers(1, 40).flatmap(
    lambda n: st.tuples(arrays(float, n, elements=inclinations), arrays(float, n, elements=inclinations))
)


@unhurried
@given(arrays(float, st.integers(1, 40), elements=inclinations))
def test_perfect_prediction(truth):
    metrics = compute_metrics(truth, truth)
    assert metrics.pop("n") == truth.size
    assert not any(metrics.values())


@unhurried
@given(pairs, st.floats(-20, 20))
def test_a_shift_changes_the_bias_and_neither_slope_nor_scatter(pair, shift):
    prediction, truth = pair
    before, after = compute_metrics(prediction, truth), compute_metrics(prediction + shift, truth)
    assert after["bias"] == pytest.approx(before["bias"] + shift, abs=1e-9)
    if np.ptp(truth) > 1e-3:
        assert after["slope"] == pytest.approx(before["slope"], rel=1e-6, abs=1e-6)
    spread = [f["rms"] ** 2 - f["bias"] ** 2 for f in (before, after)]
    assert spread[1] == pytest.approx(spread[0], abs=1e-6)


@unhurried
@given(pairs)
def test_metrics_are_ordered(pair):
    metrics = compute_metrics(*pair)
    assert abs(metrics["bias"]) <= metrics["mae"] + 1e-9
    assert metrics["mae"] <= metrics["rms"] + 1e-9
    assert 0 <= metrics["p68"] <= metrics["p95"] <= np.abs(np.subtract(*pair)).max()
    assert 0 <= metrics["above_10"] <= 1


def test_slope_of_shrunken_predictions():
    truth = np.linspace(45, 90, 10)
    assert compute_metrics(70 + 0.8 * (truth - 70), truth)["slope"] == pytest.approx(-0.2)
    assert compute_metrics([61, 59], [60, 60])["slope"] is None


def test_bad_arrays():
    with pytest.raises(InclinetError, match=r"1 of 3 inclinations are not finite \(first at position 1\)"):
        compute_metrics([50, np.nan, 60], [50, 55, 60])
    with pytest.raises(InclinetError, match="no image"):
        compute_metrics([], [])
    with pytest.raises(ValueError, match=r"must both have the shape \(N,\)"):
        compute_metrics([50, 60], [50])


def test_ensembles(table):
    ensembles = ensemble_predictions(table)
    assert list(ensembles) == ["median of all", "mean of all", "median of model4", "mean of model4"]
    assert ensembles["median of all"].tolist() == [46, 45, 60, 89]
    assert ensembles["mean of all"].tolist() == [47, pytest.approx(137 / 3), 64, 89]
    assert ensembles["mean of model4"].tolist() == [45, 46, 59, 88.5]
