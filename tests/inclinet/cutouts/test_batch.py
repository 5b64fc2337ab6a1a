import csv
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from inclinet.cutouts.batch import make_cutouts
from inclinet.cutouts.filenames import CUTOUTS_FILE, JOURNAL_FILE
from inclinet.cutouts.records import digest
from inclinet.cutouts.targets import read_targets
from inclinet.data.filenames import parse_image
from inclinet.errors import InclinetError
from tests.conftest import ROOT
from tests.inclinet.cutouts.conftest import QUICK
from tests.inclinet.cutouts.stand_in import Galaxy


@pytest.fixture
def catalogue(sky):
    """Eight galaxies at declinations 1 to 8 deg."""
    for n in range(1, 9):
        sky.galaxies[f"PGC {n}"] = Galaxy(10 * n, n, 2 + n / 10, 20 * n)
    rows = [{"pgc": n, "ra": 10 * n, "dec": n, "d25": 2 + n / 10, "pa": 20 * n} for n in range(1, 9)]
    return pd.DataFrame(rows).astype(object)


def rows_in(folder):
    with (folder / CUTOUTS_FILE).open(newline="") as file:
        return list(csv.DictReader(file))


def run(catalogue, folder, **settings):
    return make_cutouts(read_targets(catalogue), folder, QUICK.model_copy(update=settings))


def test_a_catalogue_becomes_a_folder_of_images_and_a_table(catalogue, sky, tmp_path):
    run(catalogue, tmp_path / "galaxies")
    rows = rows_in(tmp_path / "galaxies")
    assert [row["name"] for row in rows] == [f"PGC {n}" for n in range(1, 9)]
    assert {path.name for path in (tmp_path / "galaxies").iterdir()} == {CUTOUTS_FILE, *(row["file"] for row in rows)}
    for n, row in enumerate(rows, 1):
        assert row["file"] == f"pgc{n}_d25x2_rot_gri.sdss.jpg"
        assert parse_image(row["file"], "d25x2_rot").pgc == n
        assert row["sha256"] == digest((tmp_path / "galaxies" / row["file"]).read_bytes())
        assert float(row["width"]) == pytest.approx(2 * (2 + n / 10))
        assert float(row["pixel_scale"]) == pytest.approx(60 * float(row["width"]) / 128, abs=1e-5)
        assert (row["survey"], row["band"], row["problem"]) == ("sdss", "gri", "")
        assert row["date"].startswith("20")
        assert row["date"].endswith("+00:00")


def test_odd_galaxies_cost_nothing_but_themselves(catalogue, sky, tmp_path):
    catalogue.loc[1, ["dec"]] = [-45]
    catalogue.loc[2, ["d25"]] = [0]
    catalogue.loc[3, ["ra"]] = ["north"]
    catalogue.loc[4, ["ra", "dec"]] = ["", ""]
    del sky.galaxies["PGC 5"]
    catalogue.loc[5, ["pa"]] = [""]
    sky.troubles[7.0] = ["500"] * 9
    sky.troubles[8.0] = ["429", "broken", "empty"][:2]
    catalogue.loc[8] = [1, 10, 1, 2.1, 20]
    run(catalogue, tmp_path)
    found = rows_in(tmp_path)
    assert len(found) == len(catalogue)
    expected = [
        "",
        "blank: the survey has no picture there",
        "no size: none in d25, logd25 or SMA, nor in SIMBAD; give one (size)",
        "'north', '4' is no position",
        "no position: Sesame knows no 'PGC 5'",
        "",
        "the server answers 500 Internal Server Error busy",
        "",
        "repeats the galaxy of row 1",
    ]
    assert [row["problem"] for row in found] == expected
    assert [bool(row["file"]) for row in found] == [not problem for problem in expected]
    assert found[5]["file"] == "pgc6_d25x2_gri.sdss.jpg"
    assert found[5]["turned_by"] == ""
    assert len(list(tmp_path.glob("*.jpg"))) == 3


def test_a_second_run_fetches_only_what_is_missing(catalogue, sky, tmp_path):
    catalogue.loc[1, ["dec"]] = [-45]
    catalogue.loc[2, ["ra", "dec"]] = ["", ""]
    sky.troubles[7.0] = ["500"] * 3
    run(catalogue, tmp_path)
    before = rows_in(tmp_path)
    (tmp_path / before[3]["file"]).unlink()
    (tmp_path / before[4]["file"]).write_bytes(b"damaged")
    sky.requests.clear()
    run(catalogue, tmp_path)
    assert sorted(request.partition("dec=")[2][0] for request in sky.requests) == ["4", "5", "7"]
    after = rows_in(tmp_path)
    assert [row["problem"] for row in after] == ["", "blank: the survey has no picture there", *[""] * 6]
    for n in (0, 1, 2, 5, 7):
        assert after[n] == before[n]
    assert all(row["sha256"] == digest((tmp_path / row["file"]).read_bytes()) for row in after if row["file"])


def test_other_settings_are_another_question(catalogue, sky, tmp_path):
    run(catalogue, tmp_path)
    sky.requests.clear()
    run(catalogue, tmp_path, pixels=96)
    assert len(sky.requests) == 8
    assert {float(row["pixel_scale"]) for row in rows_in(tmp_path)} == {
        round(60 * 2 * (2 + n / 10) / 96, 6) for n in range(1, 9)
    }


def test_a_grown_catalogue_costs_its_new_galaxies(catalogue, sky, tmp_path):
    run(catalogue[:5], tmp_path)
    sky.requests.clear()
    run(catalogue[3:], tmp_path)
    assert len(sky.requests) == 3
    assert {row["name"] for row in rows_in(tmp_path)} == {f"PGC {n}" for n in range(1, 9)}


def test_files_of_others_stay(catalogue, sky, tmp_path):
    mine = tmp_path / "pgc3_d25x2_rot_gri.sdss.jpg"
    mine.write_bytes(b"my own")
    rows = run(catalogue, tmp_path)
    assert rows[2].problem == "pgc3_d25x2_rot_gri.sdss.jpg exists, and is not a cutout of this table; move it away"
    assert mine.read_bytes() == b"my own"
    assert sum(bool(row.file) for row in rows) == 7


def test_surveys_do_not_mix(catalogue, sky, tmp_path):
    run(catalogue[:1], tmp_path)
    with pytest.raises(InclinetError, match="holds cutouts of sdss; take another folder for ls-dr10"):
        run(catalogue, tmp_path, survey="ls-dr10")


def test_several_bands(catalogue, sky, tmp_path):
    run(catalogue[:2], tmp_path, survey="panstarrs", bands=("g", "gri"))
    assert [row["file"] for row in rows_in(tmp_path)] == [
        f"pgc{n}_d25x2_rot_{ending}" for n in (1, 2) for ending in ("g.png", "gri.jpg")
    ]


def test_a_root_of_one_s_own(catalogue, sky, tmp_path):
    catalogue.loc[1, ["pa"]] = [""]
    run(catalogue[:2], tmp_path, imroot="d25x2_rot")
    assert [row["file"] for row in rows_in(tmp_path)] == [f"pgc{n}_d25x2_rot_gri.sdss.jpg" for n in (1, 2)]


def test_a_server_that_is_gone_is_not_asked_10_000_times(sky, tmp_path):
    table = pd.DataFrame([{"pgc": n, "ra": 1, "dec": 1, "d25": 2} for n in range(1, 301)])
    sky.troubles[1.0] = ["503"] * 10_000
    rows = run(table, tmp_path, attempts=2, parallel=2)
    assert len(rows) == 300
    assert 40 <= len(sky.requests) < 50
    assert rows[-1].problem == "not asked for: 20 galaxies in a row got no answer; run again later"


def test_requests_run_in_parallel_at_no_more_than_the_rate(catalogue, sky, tmp_path):
    for n in range(1, 9):
        sky.troubles[float(n)] = ["slow 0.4"]
    began = time.monotonic()
    run(catalogue, tmp_path / "fast", parallel=8)
    assert time.monotonic() - began < 2.5
    sky.times.clear()
    run(catalogue, tmp_path / "slow", parallel=8, rate=10)
    assert max(sky.times) - min(sky.times) >= 0.65


SCRIPT = """
import sys
from pathlib import Path
from inclinet.cutouts.batch import make_cutouts
from inclinet.cutouts.targets import read_catalogue
from tests.inclinet.cutouts.conftest import QUICK
make_cutouts(read_catalogue(Path(sys.argv[1])), Path(sys.argv[2]), QUICK.model_copy(update={"rate": 20}))
"""


def test_a_killed_run_resumes(sky, tmp_path):
    table = pd.DataFrame([{"pgc": n, "ra": 1, "dec": n / 10, "d25": 2} for n in range(1, 61)])
    table.to_csv(tmp_path / "c.csv", index=False)
    folder = tmp_path / "galaxies"
    command = [sys.executable, "-c", SCRIPT, tmp_path / "c.csv", folder]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}) as process:
        for _ in range(600):
            if len(list(folder.glob("*.jpg"))) >= 20:
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    with (folder / JOURNAL_FILE).open("a") as file:
        file.write("PGC 60,1.0,6.0,sd")  # half a line
    done = len(list(folder.glob("*.jpg")))
    sky.requests.clear()
    rows = run(table, folder)
    assert all(row.file for row in rows)
    assert len(rows_in(folder)) == 60
    assert 60 - done <= len(sky.requests) <= 60 - done + 4
    assert not (folder / JOURNAL_FILE).exists()
