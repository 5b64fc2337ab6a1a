import json

import numpy as np
import pandas as pd
import pytest

from inclinet.evaluation import calibrate as module
from inclinet.evaluation.calibrate import _cross_fitting_folds, calibrate
from inclinet.evaluation.calibration import LEVELS, Calibration, combine, coverage, third, widen

TRAIN, TEST, SUBSAMPLES = 20_000, 20_000, 4


def answers(rng, galaxies, left_out):
    """Return predictions of networks: biased, with common and individual errors that are larger for hard galaxies."""
    truth = rng.choice([47, 52, 57, 62, 67, 72, 77, 82, 87], galaxies, p=np.arange(1, 10) / 45)
    truth = truth + rng.integers(-2, 3, galaxies)
    hard = rng.gamma(4, 0.5, galaxies)
    common = truth + rng.normal(0, 1, galaxies) * hard - 0.05 * (truth - 60)
    table = pd.DataFrame({"pgc": np.arange(galaxies), "filter": "c", "inc_m": truth})
    for k in range(SUBSAMPLES):
        own = np.clip(common + rng.normal(0, 0.5, galaxies) * hard, 45, 90)
        seen = rng.random(galaxies) > (0.33 if k else 0.1)
        table[f"model4_{k}"] = np.where(seen & left_out, np.nan, own)
        table[f"model4_{k}_spread"] = np.where(seen & left_out, np.nan, hard * rng.uniform(0.3, 0.5, galaxies))
    return table


@pytest.fixture(scope="module")
def tested():
    """A calibration, and predictions, intervals and true inclinations of galaxies that it was not fitted on."""
    rng = np.random.default_rng(1)
    calibration = calibrate(answers(rng, TRAIN, left_out=True))
    test = answers(rng, TEST, left_out=False)
    combined = combine(test)
    return calibration, combined, calibration.intervals(combined["inclination"], combined["spread"]), test["inc_m"]


def test_intervals_cover_their_share_in_every_third(tested):
    _, combined, intervals, truth = tested
    found = coverage(intervals, truth)
    for level, tolerance in ((68, 2), (95, 1)):
        assert list(found[str(level)]) == ["all", "45–60", "60–75", "75–90"]
        for of in found[str(level)].values():
            assert 100 * of["coverage"] == pytest.approx(level, abs=tolerance)
        predicted = third(combined["inclination"])
        inside = (intervals[f"low{level}"] <= truth) & (truth <= intervals[f"high{level}"])
        for part in range(3):
            assert 100 * inside[predicted == part].mean() == pytest.approx(level, abs=tolerance)


def test_the_spread_of_the_networks_by_itself_covers_far_less(tested):
    _, combined, _, truth = tested
    assert ((combined["inclination"] - truth).abs() < combined["spread"]).mean() < 0.5


def test_hard_galaxies_have_larger_error_bars(tested):
    calibration, *_ = tested
    easy, hard = calibration.intervals([70, 70], [0.3, 3])["error"]
    assert hard > 2 * easy


def test_no_interval_goes_beyond_edge_on(tested):
    _, _, intervals, _ = tested
    assert intervals[["high68", "high95"]].max().max() <= 90
    assert (intervals["low95"] <= intervals["low68"]).mean() > 0.99
    assert (intervals["error"] > 0).all()


def test_the_mean_error_is_subtracted(tested):
    _, combined, intervals, truth = tested
    assert abs((combined["inclination"] - truth).mean()) > 0.4
    assert abs((intervals["inclination"] - truth).mean()) < 0.1


def test_the_error_is_half_the_interval(tested):
    calibration, _, intervals, truth = tested
    inside = ((intervals["inclination"] - truth).abs() <= intervals["error"]).mean()
    assert 0.64 < inside < 0.72
    # Also where the interval is cut off at 90 deg, and for predictions outside the range of the calibration.
    beyond = calibration.intervals([89.9, 100, 20], [1, 1, 1])
    assert (beyond["error"] > 0.5).all()
    assert (beyond["high68"] >= beyond["low68"]).all()
    assert (beyond["inclination"] <= 90).all()


def test_some_answers_have_longer_error_bars(tested):
    intervals = tested[2]
    widened = widen(intervals, np.arange(len(intervals)) % 2 == 0)
    pd.testing.assert_frame_equal(widened[1::2], intervals[1::2])
    assert (widened["inclination"] == intervals["inclination"]).all()
    assert widened["error"][::2].to_numpy() == pytest.approx(1.3 * intervals["error"][::2])
    for level in LEVELS:
        assert (widened[f"low{level}"][::2] < intervals[f"low{level}"][::2]).all()
        assert (widened[f"high{level}"] >= intervals[f"high{level}"]).all()
        assert (widened[f"high{level}"] <= 90).all()


def test_a_sample_of_300_galaxies_covers_its_share_on_average():
    held = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        calibration = calibrate(answers(rng, 300, left_out=True))
        test = answers(rng, 2000, left_out=False)
        combined = combine(test)
        intervals = calibration.intervals(combined["inclination"], combined["spread"])
        held.append(coverage(intervals, test["inc_m"])["95"]["all"]["coverage"])
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)


def test_too_few_galaxies_give_no_calibration_and_few_share_one_offset():
    rng = np.random.default_rng(2)
    assert calibrate(answers(rng, 20, left_out=True)) is None
    few = calibrate(answers(rng, 60, left_out=True))
    assert len(few.error_model.offset) == 1
    for level in LEVELS:
        assert all(factor > 0 for factor in few.by_true[level])


def test_galaxies_are_counted_not_images():
    table = answers(np.random.default_rng(3), 15, left_out=False)
    assert calibrate(pd.concat([table] * 4)) is None


def test_a_calibration_survives_writing(tested):
    calibration, *_ = tested
    assert Calibration.model_validate_json(calibration.model_dump_json()) == calibration


def test_a_calibration_of_an_earlier_version_is_read(tested):
    calibration, *_ = tested
    content = json.loads(calibration.model_dump_json())
    content["line"] = content.pop("error_model")
    assert Calibration.model_validate_json(json.dumps(content)) == calibration


@pytest.mark.parametrize("step", [5, 25, 1000])
def test_pgc_numbers_with_the_same_remainder_are_calibrated(step):
    """Folds by `pgc % 5` would put all of them into one fold and leave nothing to fit on."""
    rng = np.random.default_rng(4)
    table = answers(rng, 2000, left_out=True)
    calibration = calibrate(table.assign(pgc=table["pgc"] * step))
    assert calibration.error_model == calibrate(table).error_model
    test = answers(rng, 2000, left_out=False)
    found = coverage(calibration.estimate(test), test["inc_m"])
    for level in LEVELS:
        assert 100 * found[str(level)]["all"]["coverage"] == pytest.approx(level, abs=4)


def test_folds_hold_whole_galaxies_and_each_row_is_scored_once():
    pgcs = np.repeat(np.arange(0, 500, 5), 3)
    folds = _cross_fitting_folds(pgcs)
    assert len(folds) == 5
    assert sum(rows.astype(int) for _, rows in folds).tolist() == [1] * len(pgcs)
    for rest, rows in folds:
        assert not set(pgcs[rest]) & set(pgcs[rows])
        assert 20 <= rows.sum() / 3 * 5 <= 220


def test_galaxies_in_a_single_fold_are_still_calibrated(monkeypatch):
    monkeypatch.setattr(module, "hash_fraction", lambda pgc, seed, draw: 0.5)
    assert calibrate(answers(np.random.default_rng(5), 60, left_out=False)) is not None


def test_folds_without_a_galaxy_are_skipped(monkeypatch):
    monkeypatch.setattr(module, "hash_fraction", lambda pgc, seed, draw: 0.9 * (pgc % 2))
    table = answers(np.random.default_rng(5), 60, left_out=False)
    assert len(_cross_fitting_folds(table["pgc"].to_numpy())) == 2
    assert calibrate(table) is not None


def test_the_combined_prediction_is_the_median_and_its_spread_that_of_all_answers():
    table = pd.DataFrame({f"model4_{k}": [50.0 + k, 60] for k in (0, 1, 5)})
    for k in (0, 1, 5):
        table[f"model4_{k}_spread"] = [2.0, 0]
    combined = combine(table)
    assert combined["inclination"].tolist() == [51, 60]
    assert combined["spread"].tolist() == pytest.approx([np.sqrt(4 + np.var([50, 51, 55])), 0])
