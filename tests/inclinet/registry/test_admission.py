"""A version with few steps, or worse than simple baselines, never comes into use by itself."""

import pytest

from inclinet.registry.admission import (
    MIN_STEPS,
    promote_first,
    promote_last,
    what_is_in_use,
    why_not_in_use,
    would_lose_real,
)
from inclinet.registry.champion import promote, read_champion
from inclinet.registry.versions import BaselineResult, StartedFrom, VersionInfo


def info(**values):
    return VersionInfo(size=24, bands=("c",), **values)


def test_nothing_speaks_against_a_good_version(good):
    assert why_not_in_use(info(**good)) is None


def test_the_shortest_training_counts(good):
    steps = {"model4_0": 60, "model4_1": MIN_STEPS - 1}
    assert "trained for 9 steps, fewer than 10" in why_not_in_use(info(**good | {"steps": steps}))
    assert why_not_in_use(info(**good | {"steps": dict.fromkeys(steps, MIN_STEPS)})) is None


def test_unknown_steps_keep_a_version_out(good):
    assert "not known for how many steps" in why_not_in_use(info(**good | {"steps": {}}))


@pytest.mark.parametrize("name", ["mean of the labels", "axis ratio (b_a)"])
@pytest.mark.parametrize("rms", [3.0, 3.2, float("nan")])
def test_a_version_must_beat_every_baseline(good, name, rms):
    """Equal is not better."""
    baselines = good["test"].baselines | {name: BaselineResult(rms=rms, version_rms=3.2)}
    why_not = why_not_in_use(info(**good | {"test": good["test"].model_copy(update={"baselines": baselines})}))
    assert f"its RMS of 3.20 deg is not lower than the {rms:.2f} deg of a simple baseline ({name}) on" in why_not


def test_a_version_without_a_test_result_is_kept_out(good):
    assert "no galaxy fell into the test set" in why_not_in_use(info(**good | {"test": None}))
    uncompared = good["test"].model_copy(update={"baselines": {}})
    assert "does not compare it with simple baselines" in why_not_in_use(info(**good | {"test": uncompared}))


@pytest.mark.parametrize(("galaxies", "speaks_against_it"), [(6000, False), (0, False), (None, True)])
def test_a_start_that_may_have_seen_test_galaxies_keeps_a_version_out(good, galaxies, speaks_against_it):
    started = {"model4_0": StartedFrom(version="", sha256="0" * 64, galaxies=galaxies)}
    why_not = why_not_in_use(info(**good | {"started_from": started})) or ""
    assert ("may have seen test galaxies" in why_not) is speaks_against_it


def test_the_first_good_version_comes_into_use(store, put, good):
    published = put("one", **good)
    champion, why_not = promote_first(store, published)
    assert (champion.version, why_not) == (published.version, None)
    assert what_is_in_use(published.version, champion, why_not) == f"in use is {published.version}"


def test_a_bad_version_stays_out_until_a_person_promotes_it(store, put, good):
    published = put("one", **good | {"steps": {"model4_0": 3}})
    champion, why_not = promote_first(store, published)
    assert champion is None
    assert read_champion(store) is None
    text = what_is_in_use(published.version, champion, why_not)
    assert text.startswith("it is not in use: a network was trained for 3 steps, fewer than 10. ")
    assert text.endswith(f"`inclinet promote {published.version}` puts it into use all the same")
    promote(store, published.version, "by hand")
    assert promote_first(store, published)[0].version == published.version


def test_a_second_version_does_not_replace_the_first(store, put, good):
    first, second = put("one", **good), put("two", **good)
    promote_first(store, first)
    champion, why_not = promote_first(store, second)
    assert (champion.version, why_not) == (first.version, None)
    text = what_is_in_use(second.version, champion, why_not)
    assert text == (f"in use is still {first.version}; `inclinet promote {second.version}` puts the new one into use")


def test_the_first_version_trained_on_real_galaxies_takes_the_place_of_mocks(store, put, good):
    mocks, real = put("mocks", **good, simulated=True), put("real", **good)
    promote_first(store, mocks)
    champion, why_not = promote_first(store, real)
    assert (champion.version, champion.previous, why_not) == (real.version, mocks.version, None)
    assert f"the first version trained on real galaxies: {mocks.version} was trained on simulated" in champion.why
    assert promote_first(store, mocks) == (champion, None)
    assert promote_last(store, mocks) == (champion, would_lose_real(real.info, mocks.info))


def test_more_mocks_and_bad_versions_do_not_take_the_place_of_mocks(store, put, good):
    mocks, more = put("mocks", **good, simulated=True), put("more", **good, simulated=True)
    promote_first(store, mocks)
    assert promote_first(store, more)[0].version == mocks.version
    bad = put("bad", **good | {"steps": {"model4_0": 3}})
    champion, why_not = promote_first(store, bad)
    assert champion.version == mocks.version
    text = what_is_in_use(bad.version, champion, why_not)
    assert text.startswith(f"in use is still {mocks.version}: of the new one, a network was trained for 3 steps")
    assert text.endswith(f"; `inclinet promote {bad.version}` puts the new one into use")


def test_the_last_run_comes_into_use_unless_something_speaks_against_it(store, put, good):
    first, second, bad = put("one", **good), put("two", **good), put("bad", **good | {"steps": {"model4_0": 3}})
    store.write("registry/champion.json", b"[]")
    for version in (first, second):
        assert promote_last(store, version)[0].version == version.version
    champion, why_not = promote_last(store, bad)
    assert champion.version == read_champion(store).version == second.version
    assert "trained for 3 steps" in why_not
