import numpy as np
import pytest

from inclinet.errors import InclinetError
from inclinet.evaluation.predictions import read_predictions, write_predictions
from inclinet.evaluation.results import evaluate


def test_the_published_table_survives_writing(published, published_file, tmp_path):
    again = write_predictions(published, tmp_path / "new" / "predictions.csv")
    assert read_predictions(again).equals(published)
    original = published_file.read_text().splitlines()
    assert again.read_text().splitlines()[:2] == [original[0], original[1].replace("b'c'", "c")]
    assert [file.name for file in again.parent.iterdir()] == ["predictions.csv"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model4_1": [44, np.nan, 58, np.inf]}, r"row 1 \(pgc 1\), column model4_1: 'nan'.* in 1 more rows"),
        ({"filter": ["c", "g", "4z", "i"]}, r"row 2 \(pgc 2\), column filter: '4z' is not a band"),
        ({"filter": ["c", "g", None, "i"]}, r"row 2 \(pgc 2\), column filter: 'nan' is not a band"),
        ({"inc_m": [45, 45, 60, 91]}, r"row 3 \(pgc 3\), column inc_m: '91' is not in 45 to 90 deg"),
        ({"pgc": [1, 1, 2.5, 3]}, "column pgc: '2.5' is not a whole number"),
        ({"inc_m": [45, "F", 60, 90]}, "row 1 .* column inc_m: 'F' is not a finite number"),
    ],
)
def test_bad_rows(table, tmp_path, change, message):
    table = table.assign(**change)
    with pytest.raises(InclinetError, match=f"^Table of predictions: .*{message}"):
        evaluate(table)
    with pytest.raises(InclinetError, match=message):
        write_predictions(table, tmp_path / "p.csv")
    assert not list(tmp_path.iterdir())
    table.to_csv(tmp_path / "bad.csv", na_rep="nan")
    with pytest.raises(InclinetError, match=f"bad.csv: .*{message}"):
        read_predictions(tmp_path / "bad.csv")


def test_unreadable_files(table, tmp_path):
    path = tmp_path / "p.csv"
    with pytest.raises(InclinetError, match=r"p\.csv: cannot be read"):
        read_predictions(path)
    path.write_bytes(b"")
    with pytest.raises(InclinetError, match=r"p\.csv: cannot be read"):
        read_predictions(path)
    path.write_bytes(b"\xff\xfe\x00,\x00")
    with pytest.raises(InclinetError, match=r"p\.csv"):
        read_predictions(path)
    table.drop(columns=["filter", "inc_m"]).to_csv(path)
    with pytest.raises(InclinetError, match=r"p\.csv: column filter, inc_m is missing"):
        read_predictions(path)
    table[["pgc", "filter", "inc_m"]].to_csv(path)
    with pytest.raises(InclinetError, match=r"p\.csv: no column of a network"):
        read_predictions(path)
