import csv
from pathlib import Path

import pytest

from tests.inclinet.cutouts.stand_in import Galaxy

QUICK = ("-s", 128, "--rate", 100, "--attempts", 2)


def rows_in(path):
    return list(csv.DictReader(Path(path).read_text().splitlines()))


@pytest.fixture
def catalogue(sky, tmp_path):
    for n in range(1, 5):
        sky.galaxies[f"PGC {n}"] = Galaxy(10 * n, n, 2, 20 * n)
    path = tmp_path / "catalog.csv"
    lines = [f"{n} | {10 * n} | {n} | {2.0} | {20 * n}" for n in range(1, 5)]
    path.write_text("\n".join(["pgc | ra | dec | d25 | pa", *lines, "5 | 50 | -45 | 2 | 0", "NGC | | | |", ""]))
    return path


def test_a_catalogue_becomes_images_that_prep_reads(inclinet, catalogue):
    code, text = inclinet("cutouts", catalogue, *QUICK)
    assert code == 0, text
    assert "4 cutouts in galaxies" in text
    assert "2 of 6 not fetched: blank: the survey has no picture there; 'NGC' is no PGC number" in text
    rows = rows_in("galaxies/cutouts.csv")
    assert [row["file"] for row in rows] == [*(f"pgc{n}_d25x2_rot_gri.sdss.jpg" for n in range(1, 5)), "", ""]
    lines = [f"{n} | 60 | 0" for n in range(1, 5)]
    Path("labels.csv").write_text("\n".join(["pgc | inc | inc_flg", *lines, ""]))
    code, text = inclinet("prep", "-b", "gri", "-c", "labels.csv", "-s", 32)
    assert "4 images in" in text


def test_other_bands_and_sizes(inclinet, catalogue, sky):
    code, text = inclinet(
        *("cutouts", catalogue, "-o", "out", "--survey", "panstarrs", "-b", "r,g", "--width", 1.25),
        *("--size", "180arcsec", "--no-turn", *QUICK),
    )
    assert code == 0, text
    rows = rows_in("out/cutouts.csv")
    assert [row["file"] for row in rows[:2]] == ["pgc1_d25x1.25_g.png", "pgc1_d25x1.25_r.png"]
    assert {row["width"] for row in rows if row["file"]} == {"3.75"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.csv"], "none.csv: the catalogue cannot be read"),
        (["c.csv", "--survey", "hubble"], "survey hubble: Input should be 'sdss', 'legacy-sdss'"),
        (["c.csv", "-b", "g"], "has no band g; legacy-sdss, ls-dr10, panstarrs have (option --survey)"),
        (["c.csv", "-b", "u"], "option --bands"),
        (["c.csv", "--size", "big"], "size 'big' is no angle; give one like 8.1arcmin (option --size)"),
        (["c.csv", "--width", "99"], "option --width"),
        (["c.csv", "--url", "ftp://here"], "option --url"),
        (
            ["c.csv", "-o", "s3://bucket/x"],
            "no local folder; the flow cutouts/batch writes to stores (option --out)",
        ),
        (["no_names.csv"], "neither a column pgc or name nor ra and dec (found: inc)"),
    ],
)
def test_what_cannot_be_asked_fails_before_anything_is_asked(inclinet, sky, tmp_path, arguments, message):
    (tmp_path / "c.csv").write_text("name,ra,dec,d25\nNGC 1,1,1,1\n")
    (tmp_path / "no_names.csv").write_text("inc\n50\n")
    code, text = inclinet("cutouts", *arguments)
    assert code == 1
    assert message in text
    assert not sky.requests


def test_a_run_without_any_cutout_fails(inclinet, sky, tmp_path):
    (tmp_path / "c.csv").write_text("name,ra,dec,d25\nNGC 1,1,-45,1\nNGC 2,1,-46,1\n")
    code, text = inclinet("cutouts", "c.csv", *QUICK)
    assert code == 1
    assert "error: no cutouts: blank: the survey has no picture there (2 times)" in text
    assert len(rows_in("galaxies/cutouts.csv")) == 2
    (tmp_path / "c.csv").write_text("name,ra,dec,d25\n")
    assert "no cutouts: the catalogue has no rows" in inclinet("cutouts", "c.csv", "-o", "other")[1]
