import numpy as np
import pandas as pd
import pytest

from inclinet.evaluation.calibration import LEVELS, Calibration, calibrate, combine, coverage, third

TRAIN, TEST, SUBSAMPLES = 20_000, 20_000, 4


def answers(rng, galaxies, left_out):
    """Return what networks say of galaxies: errors in common and of their own, larger for hard ones, and biased."""
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
def judged():
    """A calibration, and the predictions, intervals and truth of galaxies that it never saw."""
    rng = np.random.default_rng(1)
    calibration = calibrate(answers(rng, TRAIN, left_out=True))
    test = answers(rng, TEST, left_out=False)
    together = combine(test)
    return calibration, together, calibration.intervals(together["inclination"], together["spread"]), test["inc_m"]


def test_intervals_hold_what_they_say_in_every_third(judged):
    _, together, intervals, truth = judged
    found = coverage(intervals, truth)
    for level, tolerance in ((68, 2), (95, 1)):
        assert list(found[str(level)]) == ["all", "45–60", "60–75", "75–90"]
        for of in found[str(level)].values():
            assert 100 * of["coverage"] == pytest.approx(level, abs=tolerance)
        predicted = third(together["inclination"])
        inside = (intervals[f"low{level}"] <= truth) & (truth <= intervals[f"high{level}"])
        for part in range(3):
            assert 100 * inside[predicted == part].mean() == pytest.approx(level, abs=tolerance)


def test_the_spread_of_networks_alone_would_hold_far_less(judged):
    _, together, _, truth = judged
    assert ((together["inclination"] - truth).abs() < together["spread"]).mean() < 0.5


def test_hard_galaxies_have_larger_error_bars(judged):
    calibration, *_ = judged
    easy, hard = calibration.intervals([70, 70], [0.3, 3])["error"]
    assert hard > 2 * easy


def test_no_interval_goes_beyond_edge_on(judged):
    _, _, intervals, _ = judged
    assert intervals[["high68", "high95"]].max().max() <= 90
    assert (intervals["low95"] <= intervals["low68"]).mean() > 0.99
    assert (intervals["error"] > 0).all()


def test_the_mean_error_is_taken_off(judged):
    _, together, intervals, truth = judged
    assert abs((together["inclination"] - truth).mean()) > 0.4
    assert abs((intervals["inclination"] - truth).mean()) < 0.1


def test_the_error_is_half_of_the_interval(judged):
    calibration, _, intervals, truth = judged
    inside = ((intervals["inclination"] - truth).abs() <= intervals["error"]).mean()
    assert 0.64 < inside < 0.72
    # Also where the interval is cut off at 90 deg, and for predictions beyond those that it was calibrated on.
    beyond = calibration.intervals([89.9, 100, 20], [1, 1, 1])
    assert (beyond["error"] > 0.5).all()
    assert (beyond["high68"] >= beyond["low68"]).all()
    assert (beyond["inclination"] <= 90).all()


def test_a_moderate_sample_covers_what_it_says_on_average():
    held = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        calibration = calibrate(answers(rng, 300, left_out=True))
        test = answers(rng, 2000, left_out=False)
        together = combine(test)
        intervals = calibration.intervals(together["inclination"], together["spread"])
        held.append(coverage(intervals, test["inc_m"])["95"]["all"]["coverage"])
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)


def test_few_galaxies_calibrate_nothing_or_all_thirds_as_one():
    rng = np.random.default_rng(2)
    assert calibrate(answers(rng, 20, left_out=True)) is None
    few = calibrate(answers(rng, 60, left_out=True))
    assert len(few.error_model.offset) == 1
    for level in LEVELS:
        assert all(factor > 0 for factor in few.by_true[level])


def test_images_of_few_galaxies_do_not_make_many():
    table = answers(np.random.default_rng(3), 15, left_out=False)
    assert calibrate(pd.concat([table] * 4)) is None


def test_a_calibration_is_read_as_it_was_written(judged):
    calibration, *_ = judged
    assert Calibration.model_validate_json(calibration.model_dump_json()) == calibration


def test_the_prediction_is_the_median_and_its_spread_that_of_all_answers():
    table = pd.DataFrame({f"model4_{k}": [50.0 + k, 60] for k in (0, 1, 5)})
    for k in (0, 1, 5):
        table[f"model4_{k}_spread"] = [2.0, 0]
    together = combine(table)
    assert together["inclination"].tolist() == [51, 60]
    assert together["spread"].tolist() == pytest.approx([np.sqrt(4 + np.var([50, 51, 55])), 0])
