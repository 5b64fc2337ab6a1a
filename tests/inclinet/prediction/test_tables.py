import io
import json
import shutil
import subprocess
import warnings

import numpy as np
import pandas as pd
import pytest
from astropy.io.votable import parse_single_table
from astropy.io.votable.ucd import check_ucd
from astropy.table import Table

from inclinet.errors import InclinetError
from inclinet.prediction.descriptions import _COLUMNS, describe
from inclinet.prediction.tables import STANDARD_OUTPUT, check_out, write_table

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
            "flag": ["", "not predicted"],
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


@pytest.mark.skipif(not shutil.which("stilts"), reason="needs Debian's package stilts")
def test_topcats_own_programs_read_them_without_a_warning(table, tmp_path):
    votable, fits = (write_table(table, tmp_path / name, ABOUT) for name in ("t.vot", "t.fits"))

    def stilts(*arguments):
        return subprocess.run(["stilts", *map(str, arguments)], check=True, capture_output=True, text=True, timeout=120)

    lint = stilts("votlint", votable)
    assert (lint.stdout, lint.stderr) == ("", "")
    for file in (votable, fits):
        read = stilts("tpipe", f"in={file}", "cmd=keepcols 'pgc inclination problem'", "omode=out", "ofmt=csv")
        assert read.stdout.splitlines() == ["pgc,inclination,problem", "2148,80.25,", ",,no such file"]
        assert read.stderr == ""


def test_names_that_are_not_ascii(table, tmp_path):
    table.loc[1, ["image", "problem"]] = "é.png", "9000×9000 pixels"
    read = Table.read(write_table(table, tmp_path / "t.fits", {"store": "/é"}))
    assert str(read["problem"][1]) == r"9000\xd79000 pixels"
    assert read.meta["STORE"] == r"/\xe9"
    read = Table.read(write_table(table, tmp_path / "t.vot", ABOUT), format="votable")
    assert str(read["image"][1]) == "é.png"


def test_text_formats(table, tmp_path, capsys):
    for path in ("t.csv", STANDARD_OUTPUT):
        write_table(table, tmp_path / path if path == "t.csv" else path, ABOUT)
    (tmp_path / "out.csv").write_text(capsys.readouterr().out)
    for name in ("t.csv", "out.csv"):
        read = pd.read_csv(tmp_path / name)
        assert read["inclination"][0] == 80.25
        assert read["image"].tolist() == table["image"].tolist()
    found = json.loads(write_table(table, tmp_path / "t.json", ABOUT).read_text())
    assert found["about"] == ABOUT
    assert found["predictions"][1]["inclination"] is None
    assert found["predictions"][0]["pgc"] == 2148
    lines = write_table(table, tmp_path / "t.jsonl", ABOUT).read_text().splitlines()
    assert [json.loads(line)["pgc"] for line in lines] == [2148, None]


def test_columns_are_described(table, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fits = Table.read(write_table(table, tmp_path / "t.fits", ABOUT))
        ecsv = Table.read(write_table(table, tmp_path / "t.ecsv", ABOUT))
        votable = parse_single_table(write_table(table, tmp_path / "t.vot", ABOUT))
    assert (fits.meta["TCOMM4"], fits.meta["TUCD4"]) == (ecsv["inclination"].description, "src.orbital.inclination")
    assert ecsv.meta == ABOUT
    assert str(ecsv["inclination"].unit) == "deg"
    field = votable.get_field_by_id_or_name("pgc")
    assert (field.ucd, field.description) == ("meta.id", "number in the Principal Galaxies Catalogue")


def test_every_ucd_is_one_of_the_list():
    for name in _COLUMNS:
        ucd = describe(name).ucd
        assert not ucd or check_ucd(ucd, check_controlled_vocabulary=True), ucd


def test_a_missing_number_is_no_valid_one(tmp_path):
    table = pd.DataFrame({"pgc": pd.array([999999, None], dtype="Int64")})
    read = Table.read(write_table(table, tmp_path / "t.fits", {}))
    assert read["pgc"].tolist() == [999999, None]


def test_parquet(table, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    read = parquet.read_table(write_table(table, tmp_path / "t.parquet", ABOUT))
    assert read["pgc"].to_pylist() == [2148, None]
    assert read.schema.metadata[b"version"] == ABOUT["version"].encode()
    assert read.schema.field("inclination").metadata[b"unit"] == b"deg"


def test_what_cannot_be_written_is_said_before_the_work(tmp_path):
    with pytest.raises(InclinetError, match=r"t\.xlsx: unknown format of a table; end the file name in \.csv"):
        check_out(tmp_path / "t.xlsx")
    (tmp_path / "t.csv").touch()
    with pytest.raises(InclinetError, match="exists already; give --overwrite"):
        check_out(tmp_path / "t.csv")
    check_out(tmp_path / "t.csv", overwrite=True)
    with pytest.raises(InclinetError, match="no such folder to write"):
        check_out(tmp_path / "none" / "t.csv")
    check_out(STANDARD_OUTPUT)


ODD = ["gal\xe9", "a\nb", "bell\x07 tab\tx", None]


@pytest.mark.parametrize("name", ["t.csv", "t.ecsv", "t.fits", "t.vot", "t.parquet", "t.json", "t.jsonl"])
def test_texts_and_names_of_a_catalogue_may_be_odd(tmp_path, name):
    columns = {"galaxy": ODD, "W 20 (km/s)": [1.0, 2, 3, np.nan], "\xe9": "x", "n" * 80: 1, "1a": [1.5, None, None, 2]}
    about = {"version": "v", "command": "inclinet predict 'a\nb\x07 \xe9.jpg'"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = write_table(pd.DataFrame(columns), tmp_path / name, about)
        if name in ("t.ecsv", "t.fits", "t.vot"):
            read = Table.read(path, format={"t.vot": "votable"}.get(name))
            texts = ["" if np.ma.is_masked(text) else str(text) for text in read["galaxy"]]
        elif name == "t.json":
            texts = [row["galaxy"] or "" for row in json.loads(path.read_text())["predictions"]]
        else:
            reader = {"t.csv": pd.read_csv, "t.parquet": pd.read_parquet}.get(name)
            read = reader(path) if reader else pd.read_json(path, lines=True)
            texts = read["galaxy"].fillna("").tolist()
    escaped = {
        "t.fits": ["gal\\xe9", "a\\x0ab", "bell\\x07 tab\\x09x"],
        "t.vot": ["gal\xe9", "a\nb", "bell\ufffd tab\tx"],
    }
    assert texts == [*escaped.get(name, ODD[:3]), ""]
    if name == "t.fits":
        assert read.colnames == ["galaxy", "W_20_km_s", "e", "n" * 60, "1a"]
        assert read.meta["COMMAND"] == "inclinet predict 'a\\x0ab\\x07 \\xe9.jpg'"


def test_names_of_fits_stay_different(tmp_path):
    table = pd.DataFrame([[1, 2, 3, 4, 5]], columns=["a b", "a-b", "a_b", "()", "\xb2"])
    assert Table.read(write_table(table, tmp_path / "t.fits", {})).colnames == ["a_b_0", "a_b_1", "a_b", "column", "2"]


def test_numbers_keep_their_digits_in_json(tmp_path):
    table = pd.DataFrame({"ra": [140.123456789012], "flux": [1.2345678901e-17], "id": pd.array([1237648720693690487])})
    table = table.assign(inclination=53.31, log_1_sin_i_high=np.inf, truth=np.nan, pgc=pd.array([None], dtype="Int64"))
    text = write_table(table, tmp_path / "t.jsonl", {}).read_text()
    assert text == (
        '{"ra": 140.123456789012, "flux": 1.2345678901e-17, "id": 1237648720693690487, "inclination": 53.31, '
        '"log_1_sin_i_high": null, "truth": null, "pgc": null}\n'
    )
    assert write_table(table[:0], tmp_path / "empty.jsonl", {}).read_text() == ""


@pytest.mark.parametrize("kind", ["csv", "ecsv", "votable", "xml", "json", "JSONL"])
def test_every_text_goes_to_the_standard_output(table, tmp_path, capfdbinary, kind):
    check_out(STANDARD_OUTPUT, kind)
    write_table(table, STANDARD_OUTPUT, ABOUT, kind)
    path = write_table(table, tmp_path / "t.dat", ABOUT, kind)
    printed = capfdbinary.readouterr().out
    assert printed.count(b"2148") == path.read_bytes().count(b"2148") == 1
    if kind in ("ecsv", "votable"):
        assert len(Table.read(io.BytesIO(printed), format={"ecsv": "ascii.ecsv"}.get(kind, kind))) == 2


def test_what_is_no_text_needs_a_file(tmp_path):
    for kind in ("fits", "parquet"):
        with pytest.raises(InclinetError, match="is no text for the standard output: name a file"):
            check_out(STANDARD_OUTPUT, kind)
    with pytest.raises(InclinetError, match="'xlsx': unknown format of a table; give csv, ecsv"):
        check_out(tmp_path / "t.csv", "xlsx")
