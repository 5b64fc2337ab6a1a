import numpy as np
import pandas as pd
import pytest

from inclinet.evaluation.calibration import Calibration, ErrorBars, ErrorModel
from inclinet.prediction.flags import FLAGS
from inclinet.prediction.galaxies import by_galaxy

ONE = {level: (1.0, 1.0, 1.0) for level in (68, 95)}
FACTORS = {68: (1.0, 1.0, 1.0), 95: (2.0, 2.0, 2.0)}


def bars(base):
    """Error bars of a fixed length (deg), twice as long at 95 %."""
    model = ErrorModel(offset=(0.0,), seen=(45, 90), base=base, slope=0)
    return ErrorBars(error_model=model, by_true=FACTORS, by_predicted=ONE, galaxies=300, images=300)


CALIBRATION = Calibration(**dict(bars(3)), of_galaxies={2: bars(2.5), 3: bars(2)})


def images(*rows):
    """Return the table of images of (image, PGC number, band, inclination or problem, flags)."""
    table = pd.DataFrame(rows, columns=["image", "pgc", "band", "answer", "flag"])
    answer = pd.to_numeric(table["answer"], errors="coerce")
    problem = table["answer"].where(answer.isna(), "").astype(str)
    estimates = bars(3).intervals(answer, np.zeros(len(table)))
    estimates.loc[answer.isna(), :] = np.nan
    more = {"model4_0": answer + 1, "axis_ratio": 0.5, "position_angle": 30.0, "flag": table.pop("flag")}
    table = table.drop(columns="answer").assign(pgc=table["pgc"].astype("Int64"), galaxy="")
    table["galaxy"] = ["" if pd.isna(pgc) else f"PGC {pgc}" for pgc in table["pgc"]]
    return table.join(estimates).assign(**more, problem=problem, version="v", truth=60.0)


@pytest.fixture
def table():
    return images(
        ("d/a_g.png", 9, "g", 70, "band guessed"),
        ("d/x.png", None, "r", 80, ""),
        ("d/b_r.png", 2, "r", 64, ""),
        ("d/a_r.png", 9, "r", 72, "likely a bar; band guessed"),
        ("d/y.png", None, "r", "not a readable image", "not predicted"),
        ("d/b_g.png", 2, "g", "no such file", "not predicted"),
        ("", 5, "", "no image in d", "not predicted"),
        ("d/a_i.png", 9, "i", 80, ""),
    )


def test_rows_are_galaxies_in_the_order_of_their_first_images(table):
    found = by_galaxy(table, CALIBRATION)
    assert found["pgc"].tolist() == [9, pd.NA, 2, pd.NA, 5]
    assert found["images"].tolist()[0] == "d/a_g.png; d/a_r.png; d/a_i.png"
    assert found["bands"].tolist() == ["g; r; i", "r", "r; g", "r", ""]
    assert found["n_images"].tolist() == [3, 1, 1, 0, 0]
    assert found["inclination"].tolist()[:3] == [72, 80, 64]
    assert found["disagreement"].tolist()[:3] == [10, 0, 0]
    assert found["model4_0"].tolist()[0] == 73
    assert found["truth"].tolist() == [60] * 5
    assert found["version"].tolist() == ["v"] * 5
    assert not {"image", "band", "position_angle"} & set(found)


def test_error_bars_are_those_of_as_many_bands(table):
    found = by_galaxy(table, CALIBRATION)
    assert found["error"].tolist()[:3] == [2, 3, 3]  # the third galaxy has one image with an answer
    assert found["low95"].tolist()[0] == 68
    assert np.isnan(found["error"][3])
    without = by_galaxy(table, None)
    assert without["error"].tolist()[0] == 3


def test_flags_are_those_of_all_images_each_once(table):
    found = by_galaxy(table, CALIBRATION)
    assert found["flag"].tolist() == [
        "band guessed; likely a bar",
        "",
        "image not used",
        "not predicted",
        "not predicted",
    ]
    assert found["problem"].tolist() == ["", "", "b_g.png: no such file", "not a readable image", "no image in d"]
    assert {flag for flags in found["flag"] for flag in flags.split("; ") if flag} <= set(FLAGS)


def test_the_correction_of_the_inclination_falls_with_it(table):
    row = by_galaxy(table, CALIBRATION).iloc[0]
    assert row["sin_i"] == pytest.approx(np.sin(np.radians(72)), abs=1e-5)
    correction = {angle: -np.log10(np.sin(np.radians(angle))) for angle in (70, 72, 74)}
    assert row["log_1_sin_i"] == pytest.approx(correction[72], abs=1e-5)
    assert row["log_1_sin_i_low"] == pytest.approx(correction[74], abs=1e-5)
    assert row["log_1_sin_i_high"] == pytest.approx(correction[70], abs=1e-5)
    assert row["log_1_sin_i_high"] > row["log_1_sin_i"] > row["log_1_sin_i_low"] > 0


def test_an_interval_beyond_edge_on_or_face_on():
    edge_on = by_galaxy(images(("a.png", 1, "g", 90, "")), CALIBRATION).iloc[0]
    assert (edge_on["sin_i"], edge_on["log_1_sin_i"], edge_on["log_1_sin_i_low"]) == (1, 0, 0)
    face_on = by_galaxy(images(("a.png", 1, "g", 1, "")), CALIBRATION).iloc[0]
    assert face_on["log_1_sin_i_high"] == np.inf


def test_no_image_gives_the_same_columns(table):
    none, some = by_galaxy(table.iloc[:0], CALIBRATION), by_galaxy(table, CALIBRATION)
    assert (len(none), none.columns.tolist()) == (0, some.columns.tolist())
    assert none["pgc"].dtype == some["pgc"].dtype == "Int64"


def test_other_columns_are_kept(table):
    found = by_galaxy(table.assign(ra=[10.5, 2, np.nan, 10.5, 1, 3, 4, 10.5], name="NGC 1"), CALIBRATION)
    assert found["ra"].tolist() == [10.5, 2, 3, 1, 4]
    assert found.columns.tolist()[-2:] == ["ra", "name"]


def test_each_row_of_a_catalogue_is_a_row(table):
    """The catalogue names PGC 9 in two of its lines, and the image of PGC 2 was given beside it."""
    lines = pd.array([4, 5, None, 4, 6, None, 7, 8], dtype="Int64")
    found = by_galaxy(table.assign(row=lines), CALIBRATION)
    assert found["row"].tolist() == [4, 5, pd.NA, 6, 7, 8]
    assert found["n_images"].tolist() == [2, 1, 1, 0, 0, 1]


def test_galaxies_without_a_pgc_number_go_by_their_names(table):
    names = ["NGC 3368", "NGC 1", "ngc_3368", "NGC3368", "", "NGC 10", "", ""]
    found = by_galaxy(table.assign(pgc=pd.array([None] * 8, dtype="Int64"), galaxy=names), CALIBRATION)
    assert found["galaxy"].tolist() == ["NGC 3368", "NGC 1", "", "NGC 10", "", ""]
    assert found["n_images"].tolist() == [3, 1, 0, 0, 0, 1]
