import numpy as np
import pandas as pd
import pytest

from inclinet.data.catalog import Catalog
from inclinet.data.samples import Samples
from inclinet.evaluation.worst import find_worst, links_to, worst_cards
from tests.conftest import disc


@pytest.fixture
def galaxies():
    """30 galaxies of 60 deg, the first three with large errors, two of them outside their interval."""
    error = np.array([20.0, -9.0, 6.0, *[1.0] * 27])
    table = pd.DataFrame({"inc_m": 60.0, "inclination": 60 + error, "error": 2.0}, index=range(1, 31))
    width = np.array([4, 4, 10, *[4] * 27])
    return table.assign(low95=table["inclination"] - width, high95=table["inclination"] + width)


def test_the_worst_are_those_outside_their_interval(galaxies):
    assert find_worst(galaxies).index.tolist() == [1, 2]
    assert find_worst(galaxies.assign(low95=45, high95=90)).empty


def test_without_error_bars_they_are_the_worst_tenth(galaxies):
    assert find_worst(galaxies[["inc_m", "inclination"]]).index.tolist() == [1, 2, 3]
    assert find_worst(galaxies[["inc_m", "inclination"]].tail(3)).index.tolist() == [28]


def test_cards_show_each_galaxy_once_with_answer_flags_and_links(galaxies):
    labels, pgcs = np.array([60, 60]), np.array([1, 2])
    images = np.stack([disc(64, 60), disc(64, 60)])
    gray, colour = np.stack([images[0] // 2] * 2), images.copy()
    test = {"g": Samples(gray, labels, pgcs), "RGB": Samples(colour, labels, pgcs)}
    catalog = Catalog(
        pd.DataFrame({"ra": ["140.5", ""], "dec": ["50.9", ""]}, index=[1, 2]), {}, {1: "NGC 1", 2: "PGC 2"}
    )
    first, second = worst_cards(find_worst(galaxies), test, catalog, None)
    assert (first.title, second.title) == ("NGC 1", "PGC 2")
    assert list(first.lines) == ["60° → 80.0 ± 2.0°", "95 %: 76.0–84.0°"]
    assert np.array_equal(first.image, colour[0])
    # A disc of 60 deg, for which the answers are 80 and 51 deg.
    assert "rounder than its inclination" in first.flag
    assert "nearly face-on" in second.flag
    assert list(first.links) == ["SDSS", "NED"]
    assert not second.links


def test_links_name_the_position():
    links = links_to(140.51, -3.2)
    assert "ra=140.51000&dec=-3.20000" in links["SDSS"]
    assert "ra=140.51000d&dec=-3.20000d" in links["NED"]


def test_a_galaxy_without_image_or_catalogue_has_a_card(galaxies):
    [first, _] = worst_cards(find_worst(galaxies), {}, None, None)
    assert (first.title, first.image, first.flag, dict(first.links)) == ("PGC 1", None, "", {})
