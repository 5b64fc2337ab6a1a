"""Tables in the formats that people bring, written by the formats' own libraries."""

import gzip

import numpy as np
import pandas as pd
import pytest
from astropy.table import MaskedColumn, Table

from inclinet.data.catalog import read_catalog, read_galaxies
from inclinet.data.tables import read_table
from inclinet.errors import InclinetError

ROWS = [("22419", "61.5", "spiral, barred"), ("5", "", "it's"), ("7", "80", "")]
EXPECTED = pd.DataFrame(ROWS, columns=["PGC", "Inc", "note"])


def astropy_table():
    inc = MaskedColumn([61.5, 0, 80], mask=[False, True, False], dtype=float)
    return Table({"PGC": np.array([22419, 5, 7]), "Inc": inc, "note": ["spiral, barred", "it's", ""]})


@pytest.mark.parametrize("separator", ["|", ",", "\t", ";"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_text(tmp_path, separator, encoding, end):
    path = tmp_path / "c.txt"
    kept = EXPECTED if separator == "," else EXPECTED.replace("spiral, barred", "spiral")
    content = f"# made{end}# by hand{end}" + kept.to_csv(index=False, sep=separator, lineterminator=end)
    path.write_bytes(content.encode(encoding))
    table, ragged = read_table(path)
    assert not ragged
    assert table.index.tolist() == [4, 5, 6]
    pd.testing.assert_frame_equal(table.reset_index(drop=True), kept, check_dtype=False)


@pytest.mark.parametrize("kind", ["fits", "votable", "ascii.ecsv"])
@pytest.mark.parametrize("packed", [False, True])
def test_formats_of_astronomy(tmp_path, kind, packed):
    path = tmp_path / "table"
    astropy_table().write(path, format=kind)
    if packed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    table, _ = read_table(path)
    pd.testing.assert_frame_equal(table.reset_index(drop=True), EXPECTED.replace("80", "80.0"), check_dtype=False)
    assert read_catalog(path).labels == {22419: "62", 7: "80"}


@pytest.mark.parametrize("kind", ["votable", "ascii.ecsv"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
def test_formats_of_astronomy_in_other_encodings(tmp_path, kind, encoding):
    path = tmp_path / "table"
    given = astropy_table()
    given["note"][0] = "Sérsic, b"
    given.write(path, format=kind)
    text = path.read_text().replace('encoding="utf-8"', f'encoding="{encoding.removesuffix("-sig")}"')
    path.write_bytes(gzip.compress(text.encode(encoding)))
    table, _ = read_table(path)
    assert table["note"].tolist() == ["Sérsic, b", "it's", ""]
    assert read_catalog(path).labels == {22419: "62", 7: "80"}


def test_columns_by_any_name(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text("No,PGCNO,i\n1,PGC 022419,61.5\n2,PGC5,44\n3,7.0,80\n")
    columns = {"pgc": "pgcno", "inc": "i"}
    assert read_catalog(path, columns=columns).labels == {22419: "62", 5: "44", 7: "80"}
    assert [(one.name, one.truth) for one in read_galaxies(path, columns=columns)] == [
        ("PGC 22419", 61.5),
        ("PGC 5", 44),
        ("PGC 7", 80),
    ]
    with pytest.raises(InclinetError, match="'colour' is nothing that a column can mean; give pgc, galaxy"):
        read_catalog(path, columns={"colour": "i"})


def test_every_row_is_a_galaxy(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text("name,inc\nNGC 1,61.5\n,50\nNGC 1,61.5\nNGC 2,60,1\n\nSGA 17,-5\n")
    assert [(one.line, one.name, one.truth, one.problem) for one in read_galaxies(path)] == [
        (2, "NGC 1", 61.5, ""),
        (3, "", 50, "the galaxy has no name"),
        (4, "NGC 1", 61.5, ""),
        (5, "", None, "line 5 of the catalogue has 3 cells, the first line 2"),
        (7, "SGA 17", None, ""),
    ]


def test_names_are_labels_of_galaxies_too(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text("objID,inc\n1237648720693690487,70\n1237648720693690488,71\nPGC 5,60\n")
    catalog = read_catalog(path)
    assert sorted(catalog.labels.values()) == ["60", "70", "71"]
    assert catalog.labels[5] == "60"
    assert {pgc > 0: name for pgc, name in catalog.names.items()}[True] == "PGC 5"
    assert all(-(2**31) <= pgc < 2**31 for pgc in catalog.labels)


def test_an_archive_that_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("inclinet.data.tables._MAX_BYTES", 10_000)
    path = tmp_path / "c.csv.gz"
    path.write_bytes(gzip.compress(b"pgc|inc\n" + b"1|60\n" * 10_000))
    with pytest.raises(InclinetError, match="too large for a catalogue"):
        read_table(path)


@pytest.mark.parametrize("content", [b"SIMPLE  = nonsense", b"# %ECSV 1.0\n# ---\n# {", b"<VOTABLE><", b"\x1f\x8bno"])
def test_damaged_tables_are_refused_in_one_line(tmp_path, content):
    path = tmp_path / "c.csv"
    path.write_bytes(content)
    with pytest.raises(InclinetError, match="the catalogue cannot be read") as caught:
        read_table(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_column_name_of_two_lines_is_one(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text('pgc,"inc\n(deg)"\n5,60\n')
    table, _ = read_table(path)
    assert table.columns.tolist() == ["pgc", "inc (deg)"]
    assert table.index.tolist() == [3]


def test_whole_numbers_in_floats_keep_their_digits(tmp_path):
    numbers = Table({"pgc": np.array([2241912, 7, np.nan], "f4"), "mag": np.array([1e-30, 12.5, 1e30])})
    numbers.write(tmp_path / "c.fits")
    table, _ = read_table(tmp_path / "c.fits")
    assert table.to_numpy().tolist() == [["2241912.0", "1e-30"], ["7.0", "12.5"], ["", "1e+30"]]
    assert [one.pgc for one in read_galaxies(tmp_path / "c.fits")] == [2241912, 7, None]
