import pytest

from inclinet.data.origin import Galaxies
from inclinet.registry.statement import describe, state
from inclinet.registry.versions import BaselineResult, StartedFrom, VersionInfo
from inclinet.training.start import MAY_HAVE_SEEN

REAL, MIXED, MOCKS = (Galaxies(real=real, simulated=n) for real, n in ((449, 0), (449, 6000), (0, 268)))


def info(**values):
    return VersionInfo(size=24, bands=("c",), **values)


@pytest.fixture
def tested(good):
    """A tested version; values of its test and of the version itself may be given."""

    def make(trained_on=REAL, simulated=False, **test):
        result = good["test"].model_copy(update={"interval": (2.8, 3.456), "origin": REAL} | test)
        return info(test=result, trained_on=trained_on, simulated=simulated)

    return make


def test_it_says_what_a_version_learned_and_how_well_it_does(tested):
    assert state(tested(MIXED)) == (
        "trained on 449 real and 6,000 simulated galaxies; tested error 3.10 deg RMS "
        "(95 % confidence interval 2.80 to 3.46) on 449 real galaxies"
    )


def test_simulated_galaxies_alone_are_not_for_science(tested):
    line = state(tested(MOCKS, simulated=True, origin=MOCKS))
    assert line.startswith("trained on 268 simulated galaxies; ")
    assert line.endswith("on 268 simulated galaxies; not for science: it was trained on simulated galaxies alone")


def test_no_better_than_a_baseline_is_not_for_science(tested):
    line = state(tested(baselines={"axis ratio (b_a)": BaselineResult(rms=3.0, version_rms=3.1)}))
    assert line.endswith(
        "; not for science: it is no better than simple methods on the same images (axis ratio (b_a): 3.00 deg)"
    )


def test_earlier_versions_say_what_is_unknown(good):
    line = state(info(test=good["test"].model_copy(update={"by": "image"})))
    assert line == (
        "trained on an unknown number of galaxies; tested error 3.10 deg RMS (95 % confidence interval unknown) on "
        "90 images of 30 galaxies"
    )
    assert state(info(simulated=True)) == (
        "trained on an unknown number of simulated galaxies; its error is unknown; not for science: it was trained on "
        "simulated galaxies alone; it was not tested"
    )


def test_a_start_that_may_have_seen_the_test_galaxies_is_not_for_science(tested):
    start = StartedFrom(version="", sha256="0" * 64, galaxies=None)
    line = state(tested().model_copy(update={"started_from": {"model4_0": start}}))
    assert f"; not for science: {MAY_HAVE_SEEN}" in line
    known = start.model_copy(update={"galaxies": 40})
    assert "not for science" not in state(tested().model_copy(update={"started_from": {"model4_0": known}}))


def test_cross_validation_is_told(tested):
    assert "; error in 5-fold cross-validation 3.10 deg RMS (95 %" in state(tested(folds=5))


def test_it_is_ascii(tested):
    assert state(tested(MIXED)).isascii()


def test_a_version_is_described_in_one_row(put, tested):
    values = tested().model_dump(exclude={"size", "bands"})
    row = describe(put("one", **values | {"run": "inclinet-0a1b2c3d"}), "yes")
    assert (row["in use"], row["networks"], row["RMS (deg)"], row["95 % CI"]) == (
        "yes",
        "model4_0",
        "3.10",
        "2.80–3.46",
    )
    assert (row["trained on"], row["tested on"], row["remark"]) == ("449 real galaxies", "449 real galaxies", "")
    untested = describe(put("two"))
    assert (untested["in use"], untested["RMS (deg)"], untested["tested on"]) == ("", "–", "–")
    assert untested["remark"] == "not for science"
