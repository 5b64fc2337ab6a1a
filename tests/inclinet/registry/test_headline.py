import pytest

from inclinet.data.origin import Galaxies
from inclinet.registry.headline import headline, result_line, verdict
from inclinet.registry.versions import BaselineResult, VersionInfo, VersionResult

REAL = Galaxies(real=449, simulated=0)


def result(**changes):
    baselines = {
        "mean of the labels": BaselineResult(rms=13.1, version_rms=2.76),
        "axis ratio (Sba)": BaselineResult(rms=6.21, version_rms=2.8),
    }
    values = {"prediction": "calibrated median", "by": "galaxy", "rms": 2.76, "mae": 2.1, "bias": 0.1, "images": 204}
    return VersionResult(**{**values, "galaxies": 51, "interval": (2.03, 3.45), "baselines": baselines, **changes})


def info(test, trained=REAL):
    return VersionInfo(size=64, bands=("c",), test=test, trained_on=trained)


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (result(), "RMS 2.76 deg (2.03-3.45) on 51 galaxies, better than the axis ratio (6.21)"),
        (result(folds=5, baselines={}), "RMS 2.76 deg (2.03-3.45) on 51 galaxies in 5-fold cross-validation"),
        (
            result(baselines={"axis ratio (b_a)": BaselineResult(rms=2.5, version_rms=2.76)}),
            "RMS 2.76 deg (2.03-3.45) on 51 galaxies, no better than the axis ratio (2.50)",
        ),
        (result(interval=None, baselines={}), "RMS 2.76 deg on 51 galaxies"),
        (None, "not tested: no galaxy fell into the test set"),
    ],
)
def test_the_headline_says_how_good_a_version_is(test, expected):
    assert headline(test) == expected


def test_the_message_of_a_run_names_version_and_training():
    good = result_line("20261125-0123456789", info(result()))
    assert good.endswith("(6.21). Published 20261125-0123456789, trained on 449 real galaxies")
    mocks = info(result(), Galaxies(real=0, simulated=300))
    assert result_line("v", mocks).endswith("trained on 300 simulated galaxies; not for science")


def test_the_verdict_says_what_to_do_next():
    assert "`new` is in use; next: `inclinet predict IMAGES`" in verdict("new", info(result()), "new")
    assert "`new` is not in use (in use is `old`); next: `inclinet promote new`" in verdict(
        "new", info(result()), "old"
    )
    nothing = verdict("new", info(None), None)
    assert nothing.startswith("**Not tested")
    assert "(no version is in use)" in nothing
    assert nothing.endswith("**Not for science:** it was not tested.")
