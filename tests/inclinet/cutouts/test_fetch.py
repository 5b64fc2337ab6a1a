import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from inclinet.cutouts.fetch import fetch_one
from inclinet.cutouts.records import digest
from inclinet.cutouts.settings import Cutouts
from inclinet.cutouts.surveys import SURVEYS, find_survey
from inclinet.errors import InclinetError
from tests.inclinet.cutouts.conftest import QUICK
from tests.inclinet.cutouts.stand_in import Galaxy
from tests.inclinet.cutouts.test_pictures import axis

AT = (140.51, 50.98)
EVERY = [(name, band) for name, survey in SURVEYS.items() for band in survey.bands]


def middle(image):
    """Return how many pixels the brightest part is from the middle."""
    light = np.asarray(image.convert("L")).astype(float)
    y, x = np.nonzero(light > 0.8 * light.max())
    return np.hypot(x.mean() - (image.width - 1) / 2, y.mean() - (image.height - 1) / 2)


@pytest.mark.parametrize(("survey", "band"), EVERY)
def test_every_survey_and_band(sky, survey, band):
    cutout = fetch_one(AT, size=8.1, pa=147, survey=survey, band=band, what=QUICK)
    image = cutout.image
    assert (image.size, image.mode) == ((128, 128), "RGB" if band == "gri" else "L")
    assert middle(image) < 1
    tilt, _ = axis(image)
    assert abs(tilt) < 1
    row = cutout.row
    assert (row.survey, row.band, row.width, row.turned_by) == (survey, band, 16.2, -57)
    assert row.pixel_scale == pytest.approx(16.2 * 60 / 128)
    assert row.sha256 == digest(cutout.content)
    ending = f"{band}.png" if band != "gri" else "gri.sdss.jpg" if survey == "sdss" else "gri.jpg"
    assert row.file == f"J140.51000+50.98000_d25x2_rot_{ending}"


@pytest.mark.parametrize("survey", SURVEYS)
def test_the_scale_is_the_same_in_every_survey(sky, survey):
    light = np.asarray(fetch_one(AT, size=8.1, pa=147, survey=survey, what=QUICK).image).astype(float)[..., 0]
    level = light[63:65, :].mean(axis=0)
    # The painted light falls to exp(-1/2) at 0.35 of the radius.
    half = np.flatnonzero(level > 6 + 230 * np.exp(-0.5))
    expected = 0.35 * 8.1 / 16.2 * 128
    assert half[-1] - half[0] + 1 == pytest.approx(expected, abs=2)


@pytest.mark.parametrize("survey", ["legacy-sdss", "ls-dr10"])
def test_no_more_pixels_are_asked_for_than_there_are(sky, survey):
    cutout = fetch_one(AT, size=8.1, pa=147, survey=survey, what=QUICK.model_copy(update={"pixels": 512}))
    assert "size=512" in sky.pictures[0]
    assert cutout.image.size == (512, 512)
    assert abs(axis(cutout.image)[0]) < 1


def test_a_picture_that_is_not_turned_is_the_server_s_own(sky):
    cutout = fetch_one(AT, size=8.1, what=QUICK)
    assert cutout.row.turned_by is None
    assert cutout.row.file == "J140.51000+50.98000_d25x2_gri.sdss.jpg"
    again = fetch_one(AT, size=8.1, what=QUICK.model_copy(update={"turn": False}), pa=147)
    assert again.content == cutout.content
    assert axis(cutout.image)[0] == pytest.approx(57, abs=1)
    [request, _] = sky.pictures
    assert "width=128&height=128" in request


@pytest.mark.parametrize(
    "place", ["140.51,50.98", "140.51 50.98", "9:22:02.4 +50:58:48", "9 22 2.4 50 58 48", AT, SkyCoord(*AT, unit="deg")]
)
def test_positions(sky, place):
    row = fetch_one(place, size="8.1arcmin", what=QUICK).row
    assert (row.ra, row.dec) == pytest.approx(AT, abs=1e-5)


def test_galactic_coordinates(sky):
    row = fetch_one(SkyCoord(*AT, unit="deg").galactic, size=0.135 * u.deg, what=QUICK).row
    assert (row.ra, row.dec) == pytest.approx(AT, abs=1e-5)
    assert row.d25 == pytest.approx(8.1)


def test_a_name_is_enough(sky):
    sky.shapes["NGC 2841"] = (8.1, 147)
    cutout = fetch_one("NGC 2841", what=QUICK)
    assert (cutout.row.name, cutout.row.ra, cutout.row.d25, cutout.row.turned_by) == ("NGC 2841", 140.51, 8.1, -57)
    assert abs(axis(cutout.image)[0]) < 1
    assert cutout.row.file == "NGC2841_d25x2_rot_gri.sdss.jpg"


def test_names_with_quotes_and_digits(sky):
    for name in ("Barnard's Galaxy", "3C 273", "2MASX J09220265+5058353"):
        sky.galaxies[name] = Galaxy(10, 10, 2, 30)
        sky.shapes[name] = (2, "")
        assert fetch_one(name, what=QUICK).row.turned_by is None


def test_a_name_whose_size_nobody_knows(sky):
    with pytest.raises(InclinetError, match="NGC 2841: no size: none in d25"):
        fetch_one("NGC 2841", what=QUICK)
    assert fetch_one("NGC 2841", size=8.1, what=QUICK).row.width == 16.2


def test_an_unknown_name(sky):
    with pytest.raises(InclinetError, match="NGC 99999: no position: Sesame knows no 'NGC 99999'"):
        fetch_one("NGC 99999", what=QUICK)
    assert len(sky.requests) == 1


def test_name_servers_in_trouble_are_asked_again(sky):
    sky.shapes["NGC 2841"] = (8.1, 147)
    sky.troubles["NGC 2841"] = ["503", "hang-up"]
    assert fetch_one("NGC 2841", what=QUICK).row.ra == 140.51
    sky.troubles["NGC 2841"] = ["503"] * 9
    with pytest.raises(InclinetError, match="Sesame does not answer .*Service Unavailable"):
        fetch_one("NGC 2841", what=QUICK)


@pytest.mark.parametrize(("survey", "band"), [pair for pair in EVERY if pair[1] in ("g", "gri")])
def test_outside_the_footprint(sky, survey, band):
    with pytest.raises(InclinetError, match="J140.51000-45.00000: blank: the survey has no picture there"):
        fetch_one((140.51, -45), size=3, survey=survey, band=band, what=QUICK)
    assert len(sky.pictures) == 1


def test_a_server_that_says_outside_the_footprint_itself(sky):
    with pytest.raises(InclinetError, match="blank: the survey has no picture there"):
        fetch_one((140.51, -85), size=3, what=QUICK)


@pytest.mark.parametrize(
    ("trouble", "reason"), [("empty", "empty body"), ("broken", "not a readable"), ("text", "too many connections")]
)
@pytest.mark.parametrize("band", ["g", "gri"])
def test_broken_bodies(sky, band, trouble, reason):
    sky.troubles[50.98] = [trouble]
    assert fetch_one(AT, size=3, survey="ls-dr10", band=band, what=QUICK)
    sky.troubles[50.98] = [trouble] * 3
    with pytest.raises(InclinetError, match=reason):
        fetch_one(AT, size=3, survey="ls-dr10", band=band, what=QUICK)


def test_a_picture_of_another_size_is_refused(sky):
    sky.troubles[50.98] = ["small"]
    with pytest.raises(InclinetError, match="50×50 pixels in place of 128×128"):
        fetch_one(AT, size=3, what=QUICK)


@pytest.mark.parametrize(
    ("arguments", "setting"),
    [
        ({"galaxy": AT}, "size"),
        ({"galaxy": AT, "size": "big"}, "size"),
        ({"galaxy": AT, "size": 3, "survey": "hubble"}, "survey"),
        ({"galaxy": AT, "size": 3, "band": "r"}, "survey"),
        ({"galaxy": "140.51,150", "size": 3}, "at"),
        ({"galaxy": AT, "size": 3, "what": Cutouts(url="ftp://here")}, "url"),
    ],
)
def test_what_cannot_be_asked(sky, arguments, setting):
    with pytest.raises(InclinetError) as caught:
        fetch_one(**{"what": QUICK} | arguments)
    assert caught.value.setting == setting
    assert not sky.requests


def test_a_missing_band_names_the_surveys_that_have_it():
    with pytest.raises(InclinetError, match="ImgCutout has no band r; legacy-sdss, ls-dr10, panstarrs have"):
        find_survey("sdss", ("r", "gri"))


def test_another_address_of_the_server(sky, monkeypatch):
    monkeypatch.setenv("INCLINET_SDSS_URL", "http://127.0.0.1:9")
    with pytest.raises(InclinetError, match="connection failed"):
        fetch_one(AT, size=3, what=QUICK)
    assert fetch_one(AT, size=3, what=QUICK.model_copy(update={"url": f"{sky.url}/dr18/SkyServerWS/"}))
