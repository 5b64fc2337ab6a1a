import pytest

from inclinet.data.origin import Galaxies
from inclinet.evaluation.verdict import find_verdict, unbeaten, why_not_for_science

REAL, MOCKS = Galaxies(real=5, simulated=50), Galaxies(real=0, simulated=50)
BEATEN = {"mean of the labels": (11.9, 3.1)}


@pytest.mark.parametrize("rms", [3.1, 4.0, float("nan")])
def test_equal_is_not_better(rms):
    assert unbeaten({"axis ratio (b_a)": (3.1, 3.0)} | BEATEN) == []
    baselines = {"axis ratio (b_a)": (3.1, rms)} | BEATEN
    assert unbeaten(baselines) == ["axis ratio (b_a)"]
    reason = why_not_for_science(REAL, baselines)
    assert reason == "it is no better than simple methods on the same images (axis ratio (b_a): 3.10 deg)"


def test_the_verdict_names_the_simple_methods_and_their_errors():
    result = {"rms": 3.0, "ci": {"rms": (2.5, 3.5)}}
    errors = {"mean of the labels": 11.9, "axis ratio (b_a)": 6.2, "axis ratio (Sba)": 2.9}
    baselines = {name: {"rms": error, "ensemble_rms": 3.0, "n": 50} for name, error in errors.items()}
    evaluation = {"galaxies": 50, "by_galaxy": {"ensembles": {"median": result}, "baselines": baselines}}
    assert find_verdict(evaluation, Galaxies(real=50, simulated=0)) == (
        "RMS 3.00 deg (95 % confidence interval 2.50 to 3.50) on 50 real galaxies. Better than simple methods: mean of "
        "the labels 11.90 deg, axis ratio (b_a) 6.20 deg. No better than simple methods: axis ratio (Sba) 2.90 deg."
    )


def test_what_is_for_science():
    assert why_not_for_science(REAL, BEATEN) is None
    assert why_not_for_science(None, BEATEN) is None
    assert why_not_for_science(MOCKS, BEATEN) == "it was trained on simulated galaxies alone"
    assert why_not_for_science(REAL, None) == "it was not tested"
    assert why_not_for_science(MOCKS, {"mean": (1.0, 2.0)}).count("; ") == 1
