"""The command `predict`."""

import io
import re
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from astropy.table import Table
from PIL import Image

from inclinet.cli.predicting import _correction
from inclinet.data.filenames import IMAGE_FORMATS
from inclinet.prediction.catalogues import SUFFIXES
from tests.conftest import write_catalog

pytestmark = pytest.mark.xdist_group("predict")  # its fixtures take long: once is enough


@pytest.fixture
def predict(inclinet, published):
    def run(*arguments):
        return inclinet("predict", *arguments, "--store", published[0].uri)

    return run


def test_the_screen_shows_inclinations_and_the_colour_band(predict, small_sample):
    images = [small_sample / "galaxies" / f"pgc7_d25x2_rot_{end}" for end in ("gri.sdss.jpg", "g.png")]
    code, text = predict(*images, "--per-image")
    assert code == 0
    for word in ("pgc7_d25x2_rot_g.png", "colour", "inclination", "95 %", "angles in degrees"):
        assert word in text
    code, text = predict(*images, "--per-image", "-o", "table.csv")
    assert "wrote 2 rows to table.csv" in text
    assert pd.read_csv("table.csv")["band"].tolist() == ["c", "g"]


def test_a_galaxy_with_several_images_has_one_row(predict, small_sample):
    images = [small_sample / "galaxies" / f"pgc{end}" for end in ("7_d25x2_rot_g.png", "8_d25x2_rot_r.png")]
    images.append(small_sample / "galaxies" / "pgc7_d25x2_rot_r.png")
    code, text = predict(*images, "-o", "table.csv")
    assert code == 0
    for word in ("PGC 7", "PGC 8", "wrote 2 rows to table.csv"):
        assert word in text
    table = pd.read_csv("table.csv")
    assert table[["pgc", "n_images", "bands"]].to_numpy().tolist() == [[7, 2, "g; r"], [8, 1, "r"]]


def test_the_screen_shows_the_flags_of_a_galaxy_that_lacks_an_image(predict, small_sample, tmp_path):
    (tmp_path / "pgc7_d25x2_rot_g.png").write_text("This is no image.\n")
    code, text = predict("pgc7_d25x2_rot_g.png", small_sample / "galaxies" / "pgc7_d25x2_rot_r.png")
    assert code == 0
    [row] = [line for line in text.splitlines() if "PGC 7 " in line]
    assert "image not used" in row
    assert "not a readable image" not in row


@pytest.mark.parametrize("name", ["README.md", "galaxy.png", "notes"])
def test_nothing_predicted_is_an_error(predict, tmp_path, name):
    (tmp_path / name).write_text("This is no image.\n")
    code, text = predict(name, "-o", "table.csv")
    assert code == 1
    reason = f"neither an image ({', '.join(IMAGE_FORMATS)}) nor a catalogue ({', '.join(SUFFIXES)}, .fits)"
    if name == "galaxy.png":
        reason = "not a readable image (none of PNG, JPEG, FITS, TIFF, WEBP, BMP, GIF, JPEG2000)"
    assert f"error: nothing was predicted: {reason}" in text
    table = pd.read_csv(tmp_path / "table.csv")
    assert table[["flag", "problem"]].to_numpy().tolist() == [["not predicted", reason]]


def test_galaxies_that_were_not_predicted_are_counted(predict, small_sample, tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_text("This is no image.\n")
    write_catalog(tmp_path / "catalog.csv", [{"pgc": 3, "inc": 60}, {"pgc": 999, "inc": 50}])
    code, text = predict("a.png", "b.png", "catalog.csv", "-p", small_sample / "galaxies")
    assert code == 0
    assert "PGC 999" in text
    assert (
        "3 of 7 images not predicted: not a readable image "
        "(none of PNG, JPEG, FITS, TIFF, WEBP, BMP, GIF, JPEG2000) (2 times); "
        f"no image in {small_sample / 'galaxies'}\n"
    ) in text


def test_a_catalogue_of_galaxies_without_any_image_is_an_error(predict, small_sample, tmp_path):
    write_catalog(tmp_path / "catalog.csv", [{"pgc": 998, "inc": 60}, {"pgc": 999, "inc": 50}])
    code, text = predict("catalog.csv", "-p", small_sample / "galaxies", "-o", "table.csv")
    assert code == 1
    assert f"error: nothing was predicted: no image in {small_sample / 'galaxies'} (2 times)\n" in text
    assert pd.read_csv(tmp_path / "table.csv")["pgc"].tolist() == [998, 999]


def test_columns_of_the_catalogue_are_carried_over(predict, small_sample, tmp_path):
    (tmp_path / "c.csv").write_text("Name,No,W20,error,truth_by\nA,1,300,x,me\nB,,,,\nC,PGC 2,250.5,z,\n")
    columns = ["-p", small_sample / "galaxies", "--column", "pgc=No"]
    code, text = predict("c.csv", *columns, "--join", "w20, error", "-o", "table.csv")
    assert code == 0, text
    table = pd.read_csv(tmp_path / "table.csv")
    assert table.columns.tolist()[-2:] == ["W20", "error_catalog"]
    assert table.drop_duplicates("row")[["galaxy", "W20"]].fillna(0).to_numpy().tolist() == [
        ["A", 300],
        ["B", 0],
        ["C", 250.5],
    ]
    code, text = predict("c.csv", *columns, "--join", "W50")
    assert (code, "there is no column 'W50'" in text, "(option --join)" in text) == (1, True, True)
    code, text = predict("c.csv", *columns, "--join", "all", "-o", "table.csv")
    assert (code, "table.csv: exists already; give --overwrite" in text) == (1, True)
    assert predict("c.csv", *columns, "--join", "all", "-o", "table.csv", "--overwrite")[0] == 0
    assert pd.read_csv(tmp_path / "table.csv").columns.tolist()[-1] == "truth_by"


def test_the_header_says_where_a_table_comes_from(predict, small_sample, tmp_path):
    assert predict(small_sample / "galaxies" / "pgc1_d25x2_rot_g.png", "-o", "t.ecsv")[0] == 0
    meta = Table.read(tmp_path / "t.ecsv").meta
    assert list(meta) == ["version", "store", "date", "command", "about"]
    assert meta["date"].endswith("+00:00")


def test_the_standard_output_holds_the_table_alone(published, small_sample):
    image = small_sample / "galaxies" / "pgc1_d25x2_rot_g.png"
    command = [sys.executable, "-m", "inclinet", "predict", image, "--store", published[0].uri, "-o", "-"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    assert pd.read_csv(io.StringIO(done.stdout))["pgc"].tolist() == [1]


def test_galaxies_by_name_and_position(sky, predict, tmp_path):
    code, text = predict("NGC 2841", "--at", "140.51,50.98", "--size", "8.1arcmin", "-o", "t.csv")
    assert code == 0, text
    table = pd.read_csv(tmp_path / "t.csv")
    assert table["galaxy"].tolist() == ["NGC 2841", "140.51,50.98"]
    assert table["inclination"].notna().all()
    code, text = predict("NGC 1")
    assert (code, "error: NGC 1: no position" in text) == (1, True)
    assert predict()[0] == 1


ODD = """|||
abc|x||
-5|neg|60|1
1|dup|61|1
1e5|exp|50|2
2.0|f|70|3
PGC 02|p|70|3
|only|70|
a|b|c|d|e
one""".splitlines()


def test_ten_thousand_rows_give_ten_thousand_rows(predict, small_sample, tmp_path):
    rows = [f"{100 + i if i % 100 else 1 + i // 100 % 60}|g{i}|{45 + i % 46}|{i}" for i in range(9900)]
    for place in range(0, 100):
        rows.insert(97 * place, ODD[place % len(ODD)])
    (tmp_path / "c.csv").write_text("\n".join(["PGC|Name|inc|W20", *rows]) + "\n")
    code, text = predict("c.csv", "-p", small_sample / "galaxies", "--join", "W20", "-o", "t.fits")
    assert code == 0, text
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = Table.read(tmp_path / "t.fits").to_pandas()
    assert table["row"].tolist() == list(range(2, 10_002))
    assert table["inclination"].notna().sum() == 99 + 30
    missing = table["inclination"].isna()
    assert (table.loc[missing, "problem"] != b"").all()
    assert (table.loc[missing, "flag"] == b"not predicted").all()


def test_its_own_tables_can_be_evaluated(inclinet, predict, small_sample, tmp_path):
    for name in ("t.csv", "t.ecsv", "t.fits", "t.vot", "t.parquet", "t.json", "t.jsonl"):
        assert predict(small_sample / "catalog.csv", "-p", small_sample / "galaxies", "-o", name)[0] == 0
        code, text = inclinet("evaluate", "--predictions", name, "-o", "out")
        assert code == 0, text
        assert "60 images of 60 galaxies" in text
    predict(small_sample / "galaxies", "-o", "u.csv")
    assert "no column 'truth'" in inclinet("evaluate", "--predictions", "u.csv", "-o", "out")[1]


def test_a_last_line_counts_galaxies_flags_and_failures(predict, small_sample):
    code, text = predict(small_sample / "galaxies" / "pgc7_d25x2_rot_g.png", "nowhere.png")
    assert code == 0
    assert "2 galaxies, 1 flagged and 1 not predicted\n" in text
    assert "1 of 2 images not predicted: nowhere.png" in text


def test_a_correction_is_shown_where_the_answer_leaves_the_range_of_the_networks():
    assert _correction(60.0, [58.0, 61.0]) == ""
    assert _correction(62.04, [58.0, 62.0]) == ""
    assert _correction(62.5, [58.0, 60.0]) == "+3.5"
    assert _correction(57.0, [58.0]) == "-1.0"
    assert _correction(float("nan"), [float("nan")]) == ""


def test_the_gallery_shows_flagged_galaxies_first(predict, small_sample, tmp_path, browser):
    (tmp_path / "broken.png").write_text("This is no image.\n")
    code, text = predict(small_sample / "galaxies", "broken.png", "--gallery", "page.html")
    assert code == 0, text
    assert "wrote page.html" in text
    code, text = predict(small_sample / "galaxies", "--gallery", "page.html")
    assert (code, "page.html: exists already; give --overwrite" in text) == (1, True)
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto((tmp_path / "page.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    titles = page.locator("h2").all_inner_texts()
    assert [title.partition(":")[0] for title in titles][-1] == "Not predicted"
    assert sum(int(title.partition(": ")[2]) for title in titles) == 61
    assert page.locator(".card").count() == 61
    sizes = page.evaluate("[...document.images].map(i => [i.naturalWidth, Math.round(i.width)])")
    assert len(sizes) == 60
    assert min(natural for natural, _ in sizes) == 168
    assert min(width for _, width in sizes) > 140
    text = page.inner_text("body")
    for expected in ("61 galaxies", "PGC 7", "broken.png", "not a readable image"):
        assert expected in text
    about = dict(zip(page.locator("dt").all_inner_texts(), page.locator("dd").all_inner_texts(), strict=True))
    assert about["Command"].startswith("inclinet ")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", about["Date"])
    shot = page.screenshot(full_page=True)
    assert np.asarray(Image.open(io.BytesIO(shot)).convert("L")).std() > 20


@pytest.mark.parametrize("name", ["page.png", "nowhere/page.html"])
def test_a_gallery_that_cannot_be_written_is_an_error_before_the_work(predict, small_sample, name):
    code, text = predict(small_sample / "galaxies", "--gallery", name)
    assert code == 1
    assert "option --gallery" in text or "end in .html" in text


def test_columns_that_are_carried_over_keep_their_digits(predict, small_sample, tmp_path):
    rows = [
        "pgc,objid,code,ra,flag,flag_catalog,",
        "1,1237648720693690487,0012,1.5,a,b,",
        "999,,,,,,",
        "x,y",
        "2,7,13,2,,,",
    ]
    (tmp_path / "c.csv").write_text("\n".join(rows))
    code, text = predict("c.csv", "-p", small_sample / "galaxies", "--join", "all", "-o", "t.fits")
    assert code == 0, text
    table = Table.read(tmp_path / "t.fits")
    assert table["objid"].dtype.kind == "i"
    joined = ["objid", "code", "ra", "flag_catalog_catalog", "flag_catalog"]
    assert table.colnames[-5:] == joined
    found = {row["row"]: ["" if np.ma.is_masked(row[name]) else str(row[name]) for name in joined] for row in table}
    assert found[2] == ["1237648720693690487", "0012", "1.5", "a", "b"]
    assert found[3] == found[4] == [""] * 5
    assert found[5] == ["7", "13", "2.0", "", ""]


@pytest.mark.parametrize("kind", ["ecsv", "votable"])
def test_the_standard_output_takes_any_text(published, small_sample, kind):
    command = [sys.executable, "-m", "inclinet", "predict", small_sample / "galaxies" / "pgc1_d25x2_rot_g.png"]
    command += ["--store", published[0].uri, "-o", "-", "--format"]
    done = subprocess.run([*command, kind], stdout=subprocess.PIPE, check=True)
    table = Table.read(io.BytesIO(done.stdout), format={"ecsv": "ascii.ecsv"}.get(kind, kind))
    assert table["pgc"].tolist() == [1]
    refused = subprocess.run([*command, "fits"], capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "error: FITS is no text for the standard output: name a file" in refused.stderr


def test_a_reader_that_has_enough_ends_nothing(published, small_sample):
    image = small_sample / "galaxies" / "pgc1_d25x2_rot_g.png"
    command = [sys.executable, "-m", "inclinet", "predict", image, "--store", published[0].uri, "-o", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as done:
        done.stdout.close()
        said = done.stderr.read()
    assert done.returncode == 0, said
    assert "1 galaxies" in said or "1 galaxy" in said
    assert "Traceback" not in said


def test_a_format_needs_a_file(predict, small_sample):
    code, text = predict(small_sample / "galaxies" / "pgc1_d25x2_rot_g.png", "--format", "ecsv")
    assert (code, "needs a file, or - for the standard output (option --out)" in text) == (1, True)
