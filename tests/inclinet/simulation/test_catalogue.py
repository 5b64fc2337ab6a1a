import numpy as np
import pytest

from inclinet.simulation.catalogue import catalogue_row, catalogue_text, draw_entry
from inclinet.simulation.population import draw_spiral
from tests.inclinet.simulation.conftest import read_cells

COLUMNS = [
    "pgc", "ra", "dec", "d25", "b_a", "pa", "ty", "type", "sdss", "g_mag", "r_mag", "i_mag", "Sba", "Spa",
    "disc_mu0_g", "disc_mu0_r", "disc_mu0_i", "h_g", "h_r", "h_i",
    "fon", "inc", "inc_e", "inc_flg", "inc_n", "inc_note",
]  # fmt: skip


def row_of(case="good", ratios=(0.5, 0.6)):
    rng = np.random.default_rng(4)
    mock = draw_spiral(rng, 9_000_001)
    return catalogue_row(mock, draw_entry(mock, case, rng), np.ones(3), np.ones(3), ratios)


def test_every_galaxy_has_a_row_in_lines_of_one_length(mocks):
    lines = (mocks / "catalog.csv").read_text().splitlines()
    assert len({len(line) for line in lines}) == 1
    table = read_cells(mocks / "catalog.csv")
    assert table.pgc.astype(int).tolist() == list(range(9_000_001, 9_000_025))
    good = table[table.inc_flg == "0"]
    assert good.inc.astype(int).between(45, 90).all()
    assert good.inc_e.astype(int).between(1, 4).all()
    colour = good.g_mag.astype(float) - good.r_mag.astype(float)
    assert colour.between(0.1, 1.1).all()


def test_columns_in_their_order(mocks):
    assert list(read_cells(mocks / "catalog.csv").columns) == list(row_of()) == COLUMNS


def test_columns_are_those_of_the_real_catalogue(mocks, shared):
    assert set(COLUMNS) <= set(read_cells(shared / "catalog.csv").columns)


def test_measured_axis_ratios_are_written_with_small_errors():
    row = row_of(ratios=(0.5, 0.6))
    assert float(row["b_a"]) == pytest.approx(0.5, abs=0.08)
    assert float(row["Sba"]) == pytest.approx(0.6, abs=0.08)
    assert float(row_of(ratios=(0.0, 1.0))["b_a"]) > 0
    assert float(row_of(ratios=(0.0, 1.0))["Sba"]) <= 1


def test_an_axis_ratio_that_was_not_measured_is_zero():
    row = row_of(ratios=(np.nan, np.nan))
    assert (row["b_a"], row["Sba"]) == ("0.00", "0.00")


@pytest.mark.parametrize(("case", "tag"), [("face-on", "face_on"), ("merger", "[merger]"), ("star", "[star]")])
def test_flawed_galaxies_are_flagged(case, tag):
    row = row_of(case)
    assert int(row["inc_flg"]) > 0
    assert row["inc"] in ("", "0")
    assert tag in row["inc_note"] or row["fon"] == "F"


def test_cells_are_padded_and_split_by_bars():
    assert catalogue_text([{"pgc": "1", "inc": "60"}, {"pgc": "9000001", "inc": ""}]) == (
        "    pgc | inc\n      1 |  60\n9000001 |    \n"
    )
