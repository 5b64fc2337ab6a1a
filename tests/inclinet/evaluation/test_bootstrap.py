import tracemalloc

import numpy as np
import pytest

from inclinet.evaluation.bootstrap import confidence_intervals, rms_difference

RNG = np.random.default_rng(7)


def test_intervals_hold_the_true_rms_as_often_as_they_should():
    truth = RNG.uniform(45, 90, 200)
    held = 0
    for seed in range(100):
        error = np.random.default_rng(seed).normal(0, 3, 200)
        found = confidence_intervals({"a": error}, truth, np.arange(200), seed=seed)["a"]
        held += found["rms"][0] <= 3 <= found["rms"][1]
    assert 88 <= held <= 99


def test_images_of_a_galaxy_are_drawn_together():
    error, truth = RNG.normal(0, 3, 100), RNG.uniform(45, 90, 100)
    once = confidence_intervals({"a": error}, truth, np.arange(100))["a"]
    fourfold = confidence_intervals({"a": np.tile(error, 4)}, np.tile(truth, 4), np.tile(np.arange(100), 4))["a"]
    for metric in ("rms", "mae", "bias", "slope", "p68", "p95", "above_10"):
        assert fourfold[metric] == pytest.approx(once[metric], rel=0.05, abs=0.01)
    apart = confidence_intervals({"a": np.tile(error, 4)}, np.tile(truth, 4), np.arange(400))["a"]
    assert np.ptp(apart["rms"]) < 0.7 * np.ptp(once["rms"])


def test_a_method_counts_only_where_it_has_an_answer():
    error, truth, pgcs = RNG.normal(0, 3, 50), RNG.uniform(45, 90, 50), np.arange(50)
    some = np.where(pgcs < 30, error, np.nan)
    found = confidence_intervals({"all": error, "some": some}, truth, pgcs)
    assert found["some"]["rms"] != found["all"]["rms"]
    assert np.isfinite(found["some"]["rms"]).all()


def test_resamples_without_a_known_image_do_not_count():
    error = np.full(100, np.nan)
    error[:3] = 5, 6, 7
    low, high = confidence_intervals({"a": error}, RNG.uniform(45, 90, 100), np.arange(100))["a"]["rms"]
    assert 5 <= low <= high <= 7


def test_equal_labels_have_no_slope():
    assert confidence_intervals({"a": RNG.normal(0, 1, 9)}, np.full(9, 60), np.arange(9))["a"]["slope"] is None


def test_the_difference_is_paired():
    shared, pgcs = RNG.normal(0, 3, 400), np.arange(400)
    first, second = shared + RNG.normal(0, 0.3, 400), shared + RNG.normal(0, 0.9, 400)
    difference, (low, high) = rms_difference(first, second, pgcs)
    assert low < difference < high
    assert high - low < 0.25  # each RMS by itself is uncertain by about 0.2
    assert rms_difference(first, first, pgcs) == (0, (0, 0))
    assert rms_difference(second, first, pgcs)[0] == pytest.approx(-difference)


def test_resamples_take_little_memory_whatever_the_number_of_images():
    pgcs = np.repeat(np.arange(2000), 4)
    tracemalloc.start()
    try:
        confidence_intervals({"a": np.linspace(-5, 5, 8000)}, np.linspace(45, 90, 8000), pgcs)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 50 * 2**20
