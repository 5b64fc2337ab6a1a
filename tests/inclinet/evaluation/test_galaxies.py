"""One answer per galaxy, from images whose errors are correlated, as those of the bands of a galaxy are."""

import numpy as np
import pandas as pd
import pytest

from inclinet.evaluation.calibrate import calibrate, estimate_others
from inclinet.evaluation.calibration import ESTIMATES, Calibration, coverage
from inclinet.evaluation.evaluate import report
from inclinet.evaluation.galaxies import pool_images

GALAXIES = 2000


def answers(seed, galaxies=GALAXIES, bands="cgri"):
    """Return predictions of one network: errors of 3 deg, correlated between bands by 0.9, larger for hard galaxies."""
    rng = np.random.default_rng(seed)
    truth, hard = rng.uniform(45, 90, galaxies), rng.gamma(4, 0.25, galaxies)
    common = rng.normal(0, 3, galaxies)
    own = {band: rng.normal(0, 3, galaxies) for band in bands}
    parts = []
    for band in bands:
        error = (np.sqrt(0.9) * common + np.sqrt(0.1) * own[band]) * hard
        columns = {"filter": band, "inc_m": truth, "model4_0": truth + error, "model4_0_spread": 0.5 * hard}
        parts.append(pd.DataFrame({"pgc": np.arange(1, galaxies + 1), **columns}))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def calibration():
    return calibrate(answers(1))


def pooled(calibration, table):
    """Return the answers of a version for the galaxies of a table, and their true inclinations."""
    found = pool_images(calibration.estimate(table), table["pgc"], table["filter"], calibration)
    return found, table.groupby("pgc", sort=False)["inc_m"].first()


def test_intervals_of_galaxies_cover_their_share_for_every_number_of_bands(calibration):
    assert sorted(calibration.of_galaxies) == [2, 3, 4]
    new = answers(2)
    for bands in ("c", "cg", "ri", "cgi", "cgri"):
        found = coverage(*pooled(calibration, new[new["filter"].isin(list(bands))]))
        assert 100 * found["68"]["all"]["coverage"] == pytest.approx(68, abs=3), bands
        assert 100 * found["95"]["all"]["coverage"] == pytest.approx(95, abs=1.5), bands


def test_error_bars_hardly_fall_with_the_number_of_correlated_images(calibration):
    new = answers(2)
    one, four = (
        pooled(calibration, new[new["filter"].isin(list(bands))])[0]["error"].mean() for bands in ("c", "cgri")
    )
    assert 0.85 * one < four < one  # uncorrelated, it would be half as large


def test_the_answer_is_the_median_in_the_order_of_first_appearance(calibration):
    images = pd.DataFrame({"inclination": [80.0, 60.0, np.nan, 64.0, 50.0]}, index=[3, 4, 5, 6, 7])
    found = pool_images(images, [9, 2, 2, 2, 2], list("cgrii"))
    assert found.index.tolist() == [9, 2]
    assert found["inclination"].tolist() == [80, 60]
    assert found["n_images"].tolist() == [1, 3]
    assert found["disagreement"].tolist() == [0, 14]
    estimates = calibration.estimate(answers(3, 50))
    table = answers(3, 50)
    found, _ = pooled(calibration, table)
    medians = estimates["inclination"].groupby(table["pgc"], sort=False).median()
    assert found["inclination"].to_numpy() == pytest.approx(medians.to_numpy())


def test_a_galaxy_with_one_image_has_the_answer_of_the_image(calibration):
    table = answers(4, 30, "g")
    found, _ = pooled(calibration, table)
    assert found[ESTIMATES].to_numpy().tolist() == calibration.estimate(table)[ESTIMATES].to_numpy().tolist()


def test_the_same_image_again_does_not_shorten_the_error_bar(calibration):
    table = answers(4, 30, "g")
    twice, _ = pooled(calibration, pd.concat([table] * 5, ignore_index=True))
    assert twice["error"].to_numpy() == pytest.approx(calibration.estimate(table)["error"].to_numpy())
    assert (twice["n_images"] == 5).all()


def test_images_that_disagree_have_a_longer_error_bar(calibration):
    same = pd.DataFrame({"inclination": [70.0, 70.0], "error": 3.0, "low68": 67.0, "high68": 73.0})
    same = same.assign(low95=64.0, high95=76.0)
    apart = same.assign(inclination=[60.0, 80.0])
    first, second = (pool_images(images, [1, 1], ["g", "r"], calibration)["error"][1] for images in (same, apart))
    assert second > 2 * first


def test_more_bands_than_the_calibration_knows_have_the_error_bars_of_the_most(calibration):
    assert calibration.for_bands(1) is None
    assert calibration.for_bands(7) is calibration.of_galaxies[4]


def test_versions_of_before_have_the_error_bars_of_images(calibration):
    content = calibration.model_dump(mode="json", exclude={"of_galaxies"})
    earlier = Calibration.model_validate(content)
    table = answers(5, 40)
    found, _ = pooled(earlier, table)
    medians = earlier.estimate(table).groupby(table["pgc"].to_numpy(), sort=False).median()
    assert found[ESTIMATES].to_numpy() == pytest.approx(medians[ESTIMATES].to_numpy())


def test_the_calibration_of_galaxies_survives_writing(calibration):
    assert Calibration.model_validate_json(calibration.model_dump_json()) == calibration


def test_too_few_galaxies_in_several_bands_calibrate_none():
    table = answers(6, 100)
    few = table[(table["filter"] == "c") | (table["pgc"] < 20)]
    assert calibrate(few).of_galaxies == {}


def test_galaxies_are_estimated_by_calibrations_on_others():
    table = answers(7, 400)
    _, galaxies = estimate_others(table)
    assert galaxies.index.tolist() == list(range(1, 401))
    found = coverage(galaxies, table.groupby("pgc")["inc_m"].first())
    assert found["68"]["all"]["coverage"] == pytest.approx(0.68, abs=0.06)
    assert found["95"]["all"]["coverage"] == pytest.approx(0.95, abs=0.03)
    assert not galaxies.equals(pooled(calibrate(table), table)[0])


def test_a_report_judges_by_galaxy_first(tmp_path):
    table = answers(8, 300)
    left_out = {}
    for fold in range(5):
        names = {"model4_0": f"model4_{fold + 1}", "model4_0_spread": f"model4_{fold + 1}_spread"}
        left_out[f"model4_{fold + 1}"] = table[table["pgc"] % 5 == fold].rename(columns=names)
    evaluation = report(pd.DataFrame(), tmp_path, left_out=left_out)
    assert evaluation["by_galaxy"]["intervals"]["68"]["all"]["n"] == 300
    assert evaluation["intervals"]["68"]["all"]["n"] == 1200
    assert evaluation["by_galaxy"]["intervals"]["95"]["all"]["coverage"] == pytest.approx(0.95, abs=0.04)
    page = (tmp_path / "report.html").read_text()
    assert 0 < page.index(">Every galaxy<") < page.index(">By image<")
    assert Calibration.model_validate_json((tmp_path / "calibration.json").read_text()).of_galaxies.keys() == {2, 3, 4}
