import numpy as np
import pandas as pd
import pytest
from astropy import units as u
from astropy.table import Table

from inclinet.cutouts.targets import parse_position, parse_size, read_catalogue, read_targets
from inclinet.errors import InclinetError
from tests.conftest import write_catalog


def targets(**columns):
    return read_targets(pd.DataFrame(columns))


@pytest.mark.parametrize("pgc", ["22419", "22419.0", " 022419", "PGC22419", "PGC 022419", 22419, 22419.0])
def test_pgc_numbers_in_every_spelling(pgc):
    [one] = targets(PGC=[pgc], ra=[1], dec=[2])
    assert (one.name, one.stem) == ("PGC 22419", "pgc22419")


def test_other_names_are_kept_as_they_are():
    names = ["NGC 3368", "1237648720693690487", "SGA-2020 17", "PGC 022419", "a/b\\c:*"]
    found = targets(Name=names, RA=[1] * 5, DEC=[2] * 5)
    assert [one.name for one in found] == [*names[:3], "PGC 022419", names[4]]
    stems = ["NGC3368", "1237648720693690487", "SGA-202017", "pgc22419", "abc"]
    assert [one.stem for one in found] == stems


@pytest.mark.parametrize(
    ("ra", "dec"),
    [
        ("140.5108", "50.9764"),
        ("09 22 02.6", "+50 58 35"),
        ("9:22:02.59", "50:58:35.0"),
        ("9h22m02.6s", "50d58m35s"),
        ("140d30m39s", "50d58m35s"),
    ],
)
def test_positions_in_degrees_and_in_parts(ra, dec):
    assert parse_position(ra, dec) == pytest.approx((140.5108, 50.9764), abs=2e-4)


@pytest.mark.parametrize(
    ("ra", "dec"), [("x", "1"), ("361", "1"), ("1", "-91"), ("nan", "1"), ("25:00:00", "1"), ("", "")]
)
def test_what_is_no_position_is_refused(ra, dec):
    with pytest.raises(ValueError, match="is no position"):
        parse_position(ra, dec)


@pytest.mark.parametrize(
    "pair", [("ra", "dec"), ("RA", "Dec"), ("RAJ2000", "DEJ2000"), ("_RAJ2000", "_DEJ2000"), ("RA_deg", "DEC_deg")]
)
def test_columns_of_positions(pair):
    [one] = read_targets(pd.DataFrame({pair[0]: [10.5], pair[1]: [-3.25]}))
    assert (one.ra, one.dec, one.name, one.is_named) == (10.5, -3.25, "J10.50000-3.25000", False)


def test_hyperleda_has_hours():
    [one] = targets(objname=["NGC2841"], al2000=[9.36739], de2000=[50.97638])
    assert (one.ra, one.dec) == pytest.approx((140.51085, 50.97638))


@pytest.mark.parametrize(
    ("columns", "size"),
    [
        ({"d25": "8.1"}, 8.1),
        ({"D25": 8.1}, 8.1),
        ({"logd25": 1.908485}, 8.1),
        ({"SMA": 4.05}, 8.1),
        ({"D26": 8.1}, 8.1),
        ({"d25": 0.0, "logd25": "1.908485"}, 8.1),
        ({"d25": ""}, None),
        ({"d25": np.nan}, None),
        ({"d25": -9.99}, None),
        ({"logd25": 99}, None),
    ],
)
def test_columns_of_sizes(columns, size):
    [one] = read_targets(pd.DataFrame({"pgc": [1], **{name: [value] for name, value in columns.items()}}))
    assert one.size == (None if size is None else pytest.approx(size, rel=1e-5))


@pytest.mark.parametrize(
    ("pa", "found"), [("147", 147), (-33, 147), (327.0, 147), ("", None), (999, None), ("-999", None)]
)
def test_position_angles(pa, found):
    [one] = targets(pgc=[1], PA=[pa])
    assert one.pa == found


def test_a_size_given_is_everyone_s():
    table = pd.DataFrame({"pgc": [1, 2], "d25": [3, ""]})
    assert [one.size for one in read_targets(table, 8.1)] == [8.1, 8.1]


@pytest.mark.parametrize("text", ["8.1arcmin", "8.1", "8.1 arcmin", "486arcsec", "0.135deg"])
def test_sizes_with_units(text):
    assert parse_size(text) == pytest.approx(8.1)


@pytest.mark.parametrize("text", ["big", "8kpc", "0", "-1arcmin", "nan", "20deg", ""])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(InclinetError, match="size") as caught:
        parse_size(text)
    assert caught.value.setting == "size"


def test_every_row_is_a_target_and_bad_ones_say_why():
    found = read_targets(
        pd.DataFrame(
            {
                "pgc": ["1", "-7", "", "2", "PGC 1", "3"],
                "ra": ["1", "1", "", "400", "1", ""],
                "dec": ["1", "1", "", "1", "1", ""],
            }
        )
    )
    assert [one.problem for one in found] == [
        "",
        "'-7' is no PGC number",
        "neither a name nor a position",
        "'400', '1' is no position: ra is from 0 to 360 deg, dec from -90 to 90",
        "repeats the galaxy of row 1",
        "",
    ]
    assert found[-1].ra is None


def test_a_catalogue_without_names_and_positions_is_refused():
    with pytest.raises(InclinetError, match=r"neither a column pgc or name nor ra and dec \(found: inc, b_a\)"):
        targets(inc=[1], b_a=[1])


def test_masked_cells_are_unknown():
    table = Table({"pgc": [1, 2], "d25": [1.5, 2.5]}, masked=True)
    table["d25"].mask = [False, True]
    assert [one.size for one in read_targets(table.to_pandas())] == [1.5, None]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", " | "])
def test_text_catalogues(tmp_path, separator):
    path = tmp_path / "c.csv"
    lines = [["Name", "RA", "DEC"], ["NGC 1", "1.5", "2.5"], ["NGC 2", "3"], ["NGC 3", "5", "6"]]
    path.write_bytes("\r\n".join(separator.join(line) for line in lines).encode("utf-8-sig"))
    found = read_catalogue(path)
    assert [(one.name, one.ra, one.dec) for one in found] == [
        ("NGC 1", 1.5, 2.5),
        ("line 3", None, None),
        ("NGC 3", 5, 6),
    ]
    assert found[1].problem == "line 3 of the catalogue has 2 cells, the first line 3"


@pytest.mark.parametrize("ending", ["fits", "vot", "ecsv"])
def test_astronomers_tables(tmp_path, ending):
    table = Table({"PGC": [1, 2], "ra": [1.5, 2.5] * u.deg, "DEC": [3.5, -4.5] * u.deg, "SMA": [2.0, np.nan]})
    table.write(tmp_path / f"c.{ending}", **({"format": "votable"} if ending == "vot" else {}))
    found = read_catalogue(tmp_path / f"c.{ending}")
    assert [(one.stem, one.ra, one.dec, one.size) for one in found] == [
        ("pgc1", 1.5, 3.5, 4),
        ("pgc2", 2.5, -4.5, None),
    ]


def test_columns_that_are_called_otherwise(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text("SGA_ID,RA,RA_GAL,DEC_GAL,diam\n17,9,1.5,2.5,3\n")
    [one] = read_catalogue(path, columns={"ra": "ra_gal", "dec": "DEC_GAL", "d25": "diam"})
    assert (one.name, one.ra, one.dec, one.size) == ("17", 1.5, 2.5, 3)
    with pytest.raises(InclinetError, match="no column 'RAJ'; the catalogue has SGA_ID"):
        read_catalogue(path, columns={"ra": "RAJ"})
    with pytest.raises(InclinetError, match="'redshift' is nothing that a column can mean"):
        read_catalogue(path, columns={"redshift": "z"})


def test_the_project_s_catalogue(tmp_path):
    path = write_catalog(
        tmp_path / "c.csv", [{"pgc": 44182, "ra": 194.1825, "dec": 21.6819, "d25": 10.47, "pa": 113.5}]
    )
    [one] = read_catalogue(path)
    assert (one.stem, one.ra, one.dec, one.size, one.pa) == ("pgc44182", 194.1825, 21.6819, 10.47, 113.5)


def test_the_real_catalogues_are_read(shared):
    for path in (shared / "catalog.csv", shared / "sdss_ngc" / "catalog.csv"):
        found = read_catalogue(path)
        assert len(found) == len(path.read_text(errors="replace").splitlines()) - 1
        assert not [one for one in found if one.problem or one.size is None]


def test_a_missing_catalogue_is_named(tmp_path):
    with pytest.raises(InclinetError, match=r"none.csv: the catalogue cannot be read \(No such file"):
        read_catalogue(tmp_path / "none.csv")
