import pytest

from inclinet.data.origin import Galaxies
from inclinet.evaluation.verdict import unbeaten, why_not_for_science

REAL, MOCKS = Galaxies(real=5, simulated=50), Galaxies(real=0, simulated=50)
BEATEN = {"mean of the labels": (11.9, 3.1)}


@pytest.mark.parametrize("rms", [3.1, 4.0, float("nan")])
def test_equal_is_not_better(rms):
    assert unbeaten({"axis ratio (b_a)": (3.1, 3.0)} | BEATEN) == []
    baselines = {"axis ratio (b_a)": (3.1, rms)} | BEATEN
    assert unbeaten(baselines) == ["axis ratio (b_a)"]
    reason = why_not_for_science(REAL, baselines)
    assert reason == "it is no better than simple methods on the same images (axis ratio (b_a): 3.10 deg)"


def test_what_is_for_science():
    assert why_not_for_science(REAL, BEATEN) is None
    assert why_not_for_science(None, BEATEN) is None
    assert why_not_for_science(MOCKS, BEATEN) == "it was trained on simulated galaxies alone"
    assert why_not_for_science(REAL, None) == "it was not tested"
    assert why_not_for_science(MOCKS, {"mean": (1.0, 2.0)}).count("; ") == 1
