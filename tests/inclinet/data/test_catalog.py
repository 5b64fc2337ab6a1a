import pytest

from inclinet.data.catalog import read_catalog
from inclinet.data.inclination import numeric_label
from inclinet.errors import InclinetError
from tests.conftest import write_catalog


def row(pgc, inc, **others):
    return {"pgc": pgc, "inc": inc, "inc_flg": 0, "fon": "", "inc_note": ""} | others


def test_labels_in_order_of_precedence(tmp_path):
    path = write_catalog(
        tmp_path / "c.csv",
        [
            row(1, 61),
            row(2, 61, inc_flg=2),
            row(3, 30, inc_flg=1, fon="F"),
            row(4, "", inc_flg=3, inc_note="[bad_TF] [face_on]"),
            row(5, 70, fon="F"),
            row(6, 44.5),
        ],
    )
    assert read_catalog(path).labels == {1: "61", 2: "0", 3: "F", 4: "F", 5: "70", 6: "45"}
    assert [numeric_label(label) for label in ("0", "F", "61")] == [0, 1, 61]


@pytest.mark.parametrize("text", ["pgc|inc\r\n5|60\r\n", "\ufeffpgc | inc\n5 | 60\n"])
def test_line_ends_and_byte_order_mark(tmp_path, text):
    path = tmp_path / "c.csv"
    path.write_bytes(text.encode())
    assert read_catalog(path).labels == {5: "60"}


def test_latin1_and_absent_columns(tmp_path, caplog):
    path = tmp_path / "c.csv"
    path.write_bytes("pgc|inc|name\n5|60|Öpik\n".encode("latin-1"))
    assert read_catalog(path).table.loc[5, "name"] == "Öpik"
    assert "inc_flg" in caplog.text


def test_bad_rows_are_skipped_with_a_reason(tmp_path):
    path = write_catalog(
        tmp_path / "c.csv", [row(1, 61), row("x", 50), row(-3, 50), row(4, 95), row(5, ""), row(6, "?")]
    )
    catalog = read_catalog(path)
    assert catalog.labels == {1: "61"}
    assert set(catalog.skipped) == {"line 3", "line 4", 4, 5, 6}
    assert catalog.skipped[4] == "inclination '95' is not a number of degrees from 0 to 90 (line 5)"


def test_repeated_rows(tmp_path):
    path = write_catalog(tmp_path / "c.csv", [row(1, 61), row(1, 61, inc_note="again")])
    assert read_catalog(path).labels == {1: "61"}
    path = write_catalog(tmp_path / "d.csv", [row(1, 61), row(2, 50), row(1, 62)])
    catalog = read_catalog(path)
    assert catalog.labels == {2: "50"}
    assert catalog.skipped == {1: "has the labels 61 and 62 (lines 2 and 4)"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pgc | ink\n1 | 2\n", "no column 'inc'"),
        ("", "no column 'pgc' or 'name'"),
        ("pgc|inc|inc\n1|2|3\n", "'inc' more than once"),
        ("pgc|inc\n1|2|3\n", "line 2: has 3 cells, the first line 2"),
        ("pgc|inc\n", "it has no rows"),
        ("pgc|inc\nx|50\n", "for example line 2"),
    ],
)
def test_unusable_catalogues_are_refused(tmp_path, text, message):
    path = tmp_path / "c.csv"
    path.write_text(text)
    with pytest.raises(InclinetError, match=message) as caught:
        read_catalog(path)
    assert str(path) in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(InclinetError, match="No such file"):
        read_catalog(tmp_path / "none.csv")


def test_the_real_catalogue(shared):
    expected = {44182: "61", 676: "71", 2148: "80", 6864: "81", 354: "56", 118: "F", 56987: "F", 129: "0"}
    assert read_catalog(shared / "catalog.csv").labels == expected
