import numpy as np
import pandas as pd
import pytest

from inclinet.evaluation.drift import measure_drift
from inclinet.evaluation.flags import UNLIKE


def images(inclinations, flags=""):
    return pd.DataFrame({"inclination": inclinations, "flag": flags})


def of_test_set(inclinations):
    return pd.DataFrame({"pgc": range(len(inclinations)), "filter": "g", "inc_m": 0.0, "model4_0": inclinations})


@pytest.fixture
def usual():
    return np.random.default_rng(1).uniform(45, 90, 400)


def test_images_like_those_of_the_test_set_have_not_drifted(usual):
    flags = [UNLIKE] * 4 + ["nearly face-on"] * 16 + [""] * 180
    drift = measure_drift(images(usual[:200], flags), of_test_set(usual[200:]))
    assert drift.why == []
    assert (drift.images, drift.answers, drift.unlike, drift.flagged) == (200, 200, 0.02, 0.1)
    assert drift.distance < 0.15
    assert len(drift.inclinations) == len(drift.expected) == len(drift.edges) - 1 == 9
    assert sum(drift.inclinations) == pytest.approx(1, abs=0.01)


def test_other_inclinations_are_drift(usual):
    drift = measure_drift(images(usual[:200] / 3 + 60), of_test_set(usual[200:]))
    [why] = drift.why
    assert why.startswith("the inclinations are distributed otherwise than those of the test set (median 8")
    assert drift.distance > 0.4


def test_unlike_images_are_drift_even_without_a_test_set(usual):
    drift = measure_drift(images(usual, [f"nearly face-on; {UNLIKE}"] * 50 + [""] * 350), None)
    assert drift.why == ["12 % of the images are unlike those of the training, where 2 % are"]
    assert drift.distance is None
    assert drift.expected == []


def test_a_few_images_say_nothing(usual):
    assert measure_drift(images([90.0] * 49, UNLIKE), of_test_set(usual)).why == []
    assert measure_drift(images([90.0] * 50), of_test_set(usual[:49])).why == []


def test_a_small_difference_that_chance_explains_is_none():
    one = images(np.linspace(45, 90, 60))
    other = of_test_set(np.linspace(58, 90, 60))
    drift = measure_drift(one, other)
    assert 0.25 < drift.distance < 1.95 * np.sqrt(2 / 60)
    assert drift.why == []


def test_images_without_an_answer_do_not_count():
    drift = measure_drift(images([np.nan, 60.0, np.nan], ["", "no error bar", ""]), None)
    assert (drift.images, drift.answers, drift.flagged) == (3, 1, 1.0)
    nothing = measure_drift(images([np.nan], [""]), None)
    assert (nothing.answers, nothing.flagged, nothing.inclinations, nothing.why) == (0, 0, [], [])
