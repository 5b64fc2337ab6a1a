import numpy as np
import pandas as pd
import pytest

from inclinet.errors import InclinetError
from inclinet.evaluation.calibration import Calibration, ErrorModel
from inclinet.preparation.split import sides
from inclinet.registry.compare import compare, decide, markdown_comparison
from inclinet.settings import Retrain, Split

RULES = Retrain(worst_bin=1.0, min_galaxies=30)
EVERYONE = Split(test_fraction=0.999999)


def predictions(scatter, seed=0, galaxies=300, worse_from=None):
    rng = np.random.default_rng(9)
    truth = rng.integers(45, 91, galaxies)
    error = np.random.default_rng(seed).normal(0, scatter, galaxies)
    if worse_from is not None:
        error = np.where((truth >= worse_from) & (truth < worse_from + 5), 3 * error + 6, error)
    return pd.DataFrame(
        {"pgc": np.arange(galaxies), "filter": "c", "inc_m": truth, "model4_0": np.clip(truth + error, 0, 90)}
    )


def decision(champion, challenger, rules=RULES):
    return decide(compare(champion, challenger, EVERYONE), rules)


def test_a_better_challenger_wins():
    better, why = decision(predictions(4), predictions(2, seed=1))
    assert better
    assert why.startswith("its RMS differs by -")


def test_a_worse_challenger_loses():
    better, why = decision(predictions(2), predictions(4, seed=1))
    assert not better
    assert "no certain improvement" in why
    assert "deg its RMS is" in why


def test_a_difference_within_the_noise_keeps_the_champion():
    better, why = decision(predictions(3), predictions(2.97, seed=1), Retrain(worst_bin=90))
    assert not better
    assert "no certain improvement" in why


def test_one_bin_that_is_much_worse_keeps_the_champion():
    challenger = predictions(2, seed=1, worse_from=60)
    better, why = decision(predictions(6), challenger)
    assert not better
    assert why.startswith("at 60–65 deg its RMS is ")
    assert "the rules allow 1.0" in why
    assert decision(predictions(6), challenger, Retrain(worst_bin=90))[0]


def test_too_few_galaxies_keep_the_champion():
    better, why = decision(predictions(8, galaxies=20), predictions(1, galaxies=20))
    assert not better
    assert "20 test galaxies are too few to decide: the rules ask for 30" in why


def test_galaxies_that_the_champion_was_trained_on_do_not_count():
    theirs = Split(seed=5, test_fraction=0.3)
    tables = predictions(3), predictions(2)
    found = compare(*tables, theirs)
    assert found.galaxies == sides(tables[0]["pgc"].to_numpy(), theirs)["test", 0].sum()
    with pytest.raises(InclinetError, match="no test galaxy in common"):
        compare(predictions(3), predictions(2), Split(test_fraction=1e-9))


def test_all_galaxies_count_where_none_was_trained_on():
    assert compare(predictions(3), predictions(2), None).galaxies == 300


def test_images_that_only_one_of_them_predicted_do_not_count():
    assert compare(predictions(3).iloc[:100], predictions(2).iloc[50:], EVERYONE).images == 50


def test_the_table_names_both_versions():
    text = markdown_comparison(
        compare(predictions(3), predictions(2), EVERYONE), {"champion": "old", "challenger": "new"}
    )
    assert text.startswith("Champion old, challenger new, on 300 images of 300 test galaxies; by galaxy:\n")
    assert text.count("| RMS at ") == 9
    assert "| RMS by image (deg) |" in text


def test_galaxies_are_compared_by_the_medians_of_their_images():
    truth = predictions(0)
    errors = {"c": (0, 9), "g": (1, 1), "r": (10, 2)}  # of champion and challenger in each band: medians 1 and 2
    champion, challenger = (
        pd.concat([truth.assign(filter=band, model4_0=truth["inc_m"] + of[k]) for band, of in errors.items()])
        for k in (0, 1)
    )
    found = compare(champion, challenger, EVERYONE)
    assert (found.images, found.galaxies, found.champion["n"]) == (900, 300, 300)
    assert (found.champion["rms"], found.challenger["rms"]) == pytest.approx((1, 2))
    assert found.by_image["champion"]["rms"] == pytest.approx(np.sqrt(101 / 3))
    assert sum(of["n"] for of in found.bins.values()) == 300
    better, why = decide(found, RULES)
    assert not better
    assert why.startswith("its RMS differs by +1.00 deg")


def test_what_predicting_gives_is_compared():
    biased = predictions(2).assign(model4_0=lambda t: t["model4_0"] - 5, model4_0_spread=1.0)
    error_model = ErrorModel(offset=(5.0,), seen=(40, 90), base=2, slope=0)
    thirds = {level: (1.0, 1.0, 2.0) for level in (68, 95)}
    calibration = Calibration(error_model=error_model, by_true=thirds, by_predicted=thirds, galaxies=300, images=300)
    plain = compare(predictions(2), biased, EVERYONE)
    calibrated = compare(predictions(2), biased, EVERYONE, (None, calibration))
    assert plain.challenger["bias"] < -4.5
    assert abs(calibrated.challenger["bias"]) < 0.5
    assert calibrated.champion == plain.champion
