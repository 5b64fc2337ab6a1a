import json

import numpy as np
import pandas as pd
import pytest
from astropy.table import Table

from inclinet.errors import InclinetError
from inclinet.prediction.tables import check_format, write_table

ABOUT = {"version": "20260101-0123456789", "about": f"trained on {'very ' * 40}many galaxies"}


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "image": ["a.jpg", 'b, "c".png'],
            "pgc": pd.array([2148, None], dtype="Int64"),
            "band": ["c", ""],
            "inclination": [80.25, np.nan],
            "low95": [75.5, np.nan],
            "model4_0": [80.25, np.nan],
            "flags": ["", "not predicted"],
            "problem": ["", "no such file"],
        }
    )


@pytest.mark.parametrize("name", ["t.fits", "t.vot", "t.xml"])
def test_columns_have_units(table, tmp_path, name):
    read = Table.read(write_table(table, tmp_path / name, ABOUT), **({} if name == "t.fits" else {"format": "votable"}))
    assert len(read) == 2
    assert {column: str(read[column].unit) for column in ("inclination", "low95", "model4_0")} == {
        "inclination": "deg",
        "low95": "deg",
        "model4_0": "deg",
    }
    assert read["pgc"].unit is None
    assert read["inclination"][0] == 80.25
    assert str(read["image"][1]) == 'b, "c".png'
    assert read["pgc"][0] == 2148
    assert read["pgc"].mask[1]
    if name == "t.fits":
        assert (read.meta["VERSION"], read.meta["ABOUT"]) == tuple(ABOUT.values())
    else:
        described = " ".join(read.meta["description"].split())  # astropy wraps long lines
        assert described == "; ".join(f"{key}: {value}" for key, value in ABOUT.items())


def test_names_that_are_not_ascii(table, tmp_path):
    table.loc[1, ["image", "problem"]] = "é.png", "9000×9000 pixels"
    read = Table.read(write_table(table, tmp_path / "t.fits", {"store": "/é"}))
    assert str(read["problem"][1]) == r"9000\xd79000 pixels"
    assert read.meta["STORE"] == r"/\xe9"
    read = Table.read(write_table(table, tmp_path / "t.vot", ABOUT), format="votable")
    assert str(read["image"][1]) == "é.png"


def test_csv_and_json(table, tmp_path):
    read = pd.read_csv(write_table(table, tmp_path / "t.csv", ABOUT))
    assert read["inclination"][0] == 80.25
    assert read["image"].tolist() == table["image"].tolist()
    found = json.loads(write_table(table, tmp_path / "t.json", ABOUT).read_text())
    assert found["about"] == ABOUT
    assert found["predictions"][1]["inclination"] is None
    assert found["predictions"][0]["pgc"] == 2148


def test_an_unknown_format_is_refused(tmp_path):
    with pytest.raises(InclinetError, match=r"t\.xlsx: unknown format of a table; end the file name in \.csv"):
        check_format(tmp_path / "t.xlsx")
