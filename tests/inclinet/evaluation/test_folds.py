import numpy as np
import pandas as pd
import pytest

from inclinet.evaluation.calibrate import calibrate, estimate_others
from inclinet.evaluation.calibration import coverage
from inclinet.evaluation.evaluate import report
from inclinet.evaluation.folds import count_folds, pool_folds

EMPTY = pd.DataFrame({"pgc": [], "filter": [], "inc_m": []})
SIGMA = 3.0


@pytest.fixture(scope="module")
def left_out():
    """Predictions of five folds of 600 galaxies by two architectures, with errors of 3 deg."""
    rng = np.random.default_rng(0)
    tables = {}
    for k in range(1, 6):
        pgcs = np.arange(k, 601, 5)
        truth = rng.integers(45, 91, len(pgcs))
        for model in ("model4", "model6"):
            name = f"{model}_{k}"
            tables[name] = pd.DataFrame(
                {
                    "pgc": pgcs,
                    "filter": "c",
                    "inc_m": truth,
                    "inverted": False,
                    name: np.clip(truth + rng.normal(0, SIGMA, len(pgcs)), 45, 90),
                    f"{name}_spread": rng.uniform(0.5, 1.5, len(pgcs)),
                }
            )
    return tables


def test_folds_are_told_from_subsamples_that_overlap(left_out):
    assert count_folds(EMPTY, left_out) == 5
    assert count_folds(EMPTY, {"model4_1": left_out["model4_1"]}) == 0
    overlapping = left_out | {"model4_2": left_out["model4_1"].rename(columns={"model4_1": "model4_2"})}
    assert count_folds(EMPTY, overlapping) == 0
    assert count_folds(left_out["model4_1"], left_out) == 0


def test_every_galaxy_is_predicted_by_the_networks_of_its_fold(left_out):
    pooled = pool_folds(left_out)
    assert sorted(pooled["pgc"]) == list(range(1, 601))
    one = left_out["model6_3"].iloc[7]
    row = pooled[pooled["pgc"] == one["pgc"]].iloc[0]
    assert row["model6_0"] == one["model6_3"]
    assert row["model6_0_spread"] == one["model6_3_spread"]


def test_error_bars_are_tested_on_galaxies_that_they_were_not_calibrated_on(left_out):
    pooled = pool_folds(left_out)
    images, galaxies = estimate_others(pooled)
    found = coverage(images, pooled["inc_m"])
    assert found["68"]["all"]["coverage"] == pytest.approx(0.68, abs=0.06)
    assert found["95"]["all"]["coverage"] == pytest.approx(0.95, abs=0.03)
    # The calibration of all is close to it, not the same: it saw the galaxies.
    assert not images.equals(calibrate(pooled).estimate(pooled))
    assert galaxies.index.tolist() == pooled["pgc"].tolist()  # one image each
    assert galaxies[images.columns].to_numpy().tolist() == images.to_numpy().tolist()


def test_the_report_says_that_it_is_a_cross_validation(left_out, tmp_path):
    evaluation = report(EMPTY, tmp_path, left_out=left_out)
    assert evaluation["folds"] == 5
    assert evaluation["galaxies"] == 600
    assert set(evaluation["networks"]) == {"model4_0", "model6_0"}
    assert evaluation["networks"]["model4_0"]["rms"] == pytest.approx(SIGMA, abs=0.3)
    assert "cross-validation in 5 folds" in (tmp_path / "report.html").read_text()
    assert (tmp_path / "calibration.json").is_file()
