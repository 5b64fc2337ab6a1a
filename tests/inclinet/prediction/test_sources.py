"""Which images are found, and what is said of what is no image."""

import logging
import os
import shutil

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from PIL import Image

from inclinet.data.images import BadImageError
from inclinet.errors import InclinetError
from inclinet.prediction.catalogues import is_catalogue
from inclinet.prediction.sources import find_sources
from inclinet.storage.addresses import open_store
from tests.conftest import disc, write_catalog


@pytest.fixture
def galaxies(tmp_path):
    """A folder of images of PGC 3 in two bands and of PGC 7."""
    folder = tmp_path / "galaxies"
    folder.mkdir()
    for name in ("pgc3_d25x2_rot_g.png", "pgc3_d25x2_rot_r.png", "pgc7_d25x2_rot_g.png"):
        Image.fromarray(disc(32, 60, channels=1)).save(folder / name)
    return folder


def test_every_row_of_a_catalogue_has_a_source(galaxies, tmp_path):
    rows = [
        {"pgc": 9, "inc": 50},
        {"pgc": 3, "inc": 60},
        {"pgc": 7, "inc": ""},
        {"pgc": 8, "inc": "n/a"},
        {"pgc": "", "inc": 70},
        {"pgc": 5, "inc": 80, "inc_flg": 1},
    ]
    columns = dict.fromkeys(("pgc", "inc", "inc_flg"), "")
    found = find_sources(write_catalog(tmp_path / "catalog.csv", [columns | row for row in rows]))
    missing = f"no image in {galaxies}"
    assert [(one.row, one.pgc, one.band, one.truth, one.problem) for one in found] == [
        (2, 9, None, 50, missing),
        (3, 3, "g", 60, ""),
        (3, 3, "r", 60, ""),
        (4, 7, "g", None, ""),
        (5, 8, None, None, missing),
        (6, None, None, 70, "the galaxy has no name"),
        (7, 5, None, None, missing),
    ]
    with pytest.raises(BadImageError, match="no image in"):
        found[-1].open()


def test_galaxies_without_any_inclination_can_be_predicted(galaxies, tmp_path):
    catalog = write_catalog(tmp_path / "catalog.csv", [{"pgc": 3, "inc": ""}])
    assert [(one.pgc, one.truth) for one in find_sources(catalog)] == [(3, None)] * 2
    nameless = write_catalog(tmp_path / "nameless.csv", [{"pgc": "M 51", "inc": "60"}])
    [found] = find_sources(nameless)
    assert found.problem == "PGC number 'M 51' is not a positive whole number"


def test_images_are_found_by_the_names_of_their_galaxies(galaxies, tmp_path):
    for name in ("NGC3368_r.png", "ngc_3368-d25x2.gri.jpg", "NGC 336.jpg", "1237648720693690487.jpg"):
        Image.fromarray(disc(32, 60, channels=1)).save(galaxies / name)
    catalog = tmp_path / "names.csv"
    catalog.write_text("Name,mag\nngc 3368,9\nNGC 336,12\nPGC 0003,1\n1237648720693690487,2\n")
    found = [(one.row, one.galaxy, one.pgc, one.name.rpartition("/")[2]) for one in find_sources(catalog)]
    assert found == [
        (2, "ngc 3368", None, "NGC3368_r.png"),
        (2, "ngc 3368", None, "ngc_3368-d25x2.gri.jpg"),
        (3, "NGC 336", None, "NGC 336.jpg"),
        (4, "PGC 0003", 3, "pgc3_d25x2_rot_g.png"),
        (4, "PGC 0003", 3, "pgc3_d25x2_rot_r.png"),
        (5, "1237648720693690487", None, "1237648720693690487.jpg"),
    ]


def test_a_column_may_name_the_images(galaxies, tmp_path, s3_uri):
    catalog = tmp_path / "files.csv"
    other = tmp_path / "other.png"
    (galaxies / "pgc7_d25x2_rot_g.png").rename(other)
    rows = [("A", "pgc3_d25x2_rot_g.png"), ("B", other), ("C", "../other.png"), ("D", f"{s3_uri}/x.png"), ("E", "")]
    catalog.write_text("".join(f"{name};{file}\n" for name, file in [("Galaxy", "FILE"), *rows]))
    found = find_sources(catalog, columns={"image": "file"})
    assert [one.galaxy for one in found] == list("ABCDE")
    assert [bool(one.problem) for one in found] == [False] * 4 + [True]
    assert found[1].open().read() == other.read_bytes()
    with pytest.raises(InclinetError, match="there is no column 'files'"):
        find_sources(catalog, columns={"image": "files"})


@pytest.mark.parametrize("end", ["", "/"])
def test_a_whole_bucket_is_an_address(s3_uri, galaxies, end):
    bucket = s3_uri.rpartition("/")[0]
    open_store(bucket).put(galaxies / "pgc7_d25x2_rot_g.png", "pgc7_d25x2_rot_g.png")
    found = find_sources(f"{bucket}{end}")
    assert [(one.name, one.pgc) for one in found] == [(f"{bucket}/pgc7_d25x2_rot_g.png", 7)]
    assert found[0].open().read() == (galaxies / "pgc7_d25x2_rot_g.png").read_bytes()


@pytest.mark.parametrize("end", ["", "/"])
def test_a_folder_of_a_bucket_is_an_address(s3_uri, galaxies, end):
    open_store(s3_uri).put(galaxies / "pgc7_d25x2_rot_g.png", "new/pgc7_d25x2_rot_g.png")
    assert [one.name for one in find_sources(f"{s3_uri}/new{end}")] == [f"{s3_uri}/new/pgc7_d25x2_rot_g.png"]
    with pytest.raises(InclinetError, match="no image in this folder"):
        find_sources(f"{s3_uri}/empty{end}")


@pytest.mark.parametrize("address", ["s3://", "s3:/bucket", "s3:bucket/galaxies", "s3:///galaxies"])
def test_an_address_without_a_bucket_is_refused(address):
    with pytest.raises(InclinetError, match=r"s3:.*bucket"):
        find_sources(address)


def test_a_file_that_is_no_image_has_a_problem(galaxies, tmp_path):
    (tmp_path / "README.md").write_text("# Galaxies\n")
    bare = (galaxies / "pgc7_d25x2_rot_g.png").rename(tmp_path / "galaxy")
    image, text = find_sources([bare, tmp_path / "README.md"])
    assert not image.problem
    assert text.problem == (
        "neither an image (PNG, JPEG, FITS, TIFF, WEBP, BMP, GIF, JPEG2000) nor a catalogue "
        "(.csv, .tsv, .txt, .dat, .ecsv, .vot, .votable, .xml, .fits)"
    )


def test_folders_and_paths_that_are_wrong(tmp_path):
    with pytest.raises(InclinetError, match="no image in this folder"):
        find_sources(tmp_path)
    with pytest.raises(InclinetError, match="none: no such image, folder or catalogue"):
        find_sources(tmp_path / "none")
    catalog = write_catalog(tmp_path / "catalog.csv", [{"pgc": 3, "inc": 60}])
    with pytest.raises(InclinetError, match="no such folder of images") as raised:
        find_sources(catalog, tmp_path / "none")
    assert raised.value.setting == "impath"


def test_a_mixed_folder_says_what_it_leaves_out(galaxies, caplog):
    for name in ("pgc9_x_g.PNG", "pgc9_x_gri.SDSS.JPG", "pgc9_x_gri.jpg", "b.jpeg", "c.Tiff", "d.webp"):
        Image.fromarray(disc(32, 60, channels=1)).save(galaxies / name)
    fits.PrimaryHDU(disc(32, 60, channels=1)).writeto(galaxies / "pgc4_x_z.fits.gz")
    for name in ("README.md", "notes.txt", "a.png.part", ".hidden", "catalog.csv"):
        (galaxies / name).write_text("nothing")
    with caplog.at_level(logging.WARNING):
        found = find_sources(galaxies)
    assert {(one.pgc, one.band) for one in found} == {
        *((3, "g"), (3, "r"), (7, "g"), (9, "g"), (9, "c"), (4, "z"), (None, None))
    }
    assert len(found) == 9
    [message] = caplog.messages
    assert message == f"{galaxies}: 5 files that are not images are left out (.hidden, README.md, a.png.part, …)"


def test_a_folder_of_other_files_counts_them(tmp_path):
    (tmp_path / "README.md").write_text("nothing")
    with pytest.raises(InclinetError, match="no image in this folder among its 1 files; images are PNG, JPEG, FITS"):
        find_sources(tmp_path)


def test_folders_in_folders_are_searched_on_demand(galaxies):
    deep = galaxies / "more" / "and more"
    deep.mkdir(parents=True)
    (deep / "circle").symlink_to(galaxies)
    Image.fromarray(disc(32, 60, channels=1)).save(deep / "pgc9_x_g.png")
    assert len(find_sources(galaxies)) == 3
    found = find_sources(galaxies, recursive=True)
    assert [one.name for one in found[3:]] == [f"{deep}/pgc9_x_g.png"]
    assert found[-1].open().read() == (deep / "pgc9_x_g.png").read_bytes()
    with pytest.raises(InclinetError, match="no image in this folder"):
        find_sources(galaxies / "more")
    assert len(find_sources(galaxies / "more", recursive=True)) == 4  # by the circle, those above


def test_folders_in_a_bucket_are_searched_on_demand(s3_uri, galaxies):
    store = open_store(s3_uri)
    for key in ("new/pgc7_x_g.png", "new/a/b/pgc8_x_g.png", "old/pgc9_x_g.png"):
        store.put(galaxies / "pgc7_d25x2_rot_g.png", key)
    names = [one.name for one in find_sources(f"{s3_uri}/new", recursive=True)]
    assert names == [f"{s3_uri}/new/pgc7_x_g.png", f"{s3_uri}/new/a/b/pgc8_x_g.png"]


def test_links_without_a_target_have_a_row(galaxies, tmp_path):
    (galaxies / "pgc8_x_g.png").symlink_to(tmp_path / "gone.png")
    (galaxies / "pgc9_x_g.png").symlink_to(galaxies / "pgc9_x_g.png")
    (galaxies / "pgc10_x_g.png").symlink_to(galaxies / "pgc7_d25x2_rot_g.png")
    problems = {one.pgc: one.problem for one in find_sources(galaxies)}
    gone = "a link to a file that does not exist"
    assert problems == {3: "", 7: "", 8: gone, 9: gone, 10: ""}
    [one] = find_sources(galaxies / "pgc8_x_g.png")
    assert (one.pgc, one.problem) == (8, gone)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_folders_that_cannot_be_read_have_a_row(galaxies):
    locked = galaxies / "locked"
    locked.mkdir(mode=0)
    found = find_sources([galaxies, locked], recursive=True)
    assert [one.problem for one in found[3:]] == ["a folder that cannot be read (Permission denied)"] * 2
    assert found[-1].name == str(locked)


def test_an_address_that_is_none_is_the_problem_of_its_row(tmp_path):
    (tmp_path / "c.csv").write_text("name,file\nNGC 1,s3://two words/a.png\nNGC 2,a.png\n")
    first, second = find_sources(tmp_path / "c.csv", tmp_path, {"image": "file"})
    assert (first.galaxy, first.name) == ("NGC 1", "s3://two words/a.png")
    assert "give s3://bucket/prefix" in first.problem
    assert (second.galaxy, second.problem) == ("NGC 2", "")


def test_a_bucket_that_is_not_there_is_the_problem_of_its_image(s3_server):
    [found] = find_sources("s3://no-such-bucket-here/a.png")
    with pytest.raises(BadImageError, match="no such"):
        found.open()


def test_paths_that_no_file_can_have_are_the_problem_of_their_row(galaxies, tmp_path):
    names = ["~nobody/a.png", "x" * 5000, "a\0b.png"]
    (tmp_path / "c.csv").write_text("".join(["name,file\n", *(f"G{k},{name}\n" for k, name in enumerate(names))]))
    for found in (
        find_sources([*names, galaxies]),
        find_sources(tmp_path / "c.csv", galaxies, {"image": "file"}),
    ):
        for one in found[: len(names)]:
            with pytest.raises(BadImageError, match="no such|cannot be read"):
                one.open()


def test_pictures_with_tables_are_no_catalogues(tmp_path):
    path = tmp_path / "pgc5_x_r.fits"
    table, picture = fits.table_to_hdu(Table({"name": ["a"]})), fits.ImageHDU(np.eye(9))
    for others, expected in (([table, picture], False), ([picture, table], False), ([table], True)):
        fits.HDUList([fits.PrimaryHDU(), *others]).writeto(path, overwrite=True)
        assert is_catalogue(path) is expected
    described = fits.PrimaryHDU(np.frombuffer(b"<?xml version='1.0'?><VOTABLE/>", np.uint8))  # as TOPCAT writes
    fits.HDUList([described, table]).writeto(path, overwrite=True)
    assert is_catalogue(path)
    assert [one.galaxy for one in find_sources(path)] == ["a"]
    fits.HDUList([fits.PrimaryHDU(), table, fits.CompImageHDU(np.eye(9))]).writeto(path, overwrite=True)
    assert not is_catalogue(path)


def test_pgc_numbers_in_file_names_are_spelled_as_in_catalogues(galaxies, tmp_path):
    for name in ("PGC 000012_g.png", "pgc_12-r.png", "PGC12.png"):
        shutil.copy(galaxies / "pgc3_d25x2_rot_g.png", galaxies / name)
    (tmp_path / "c.csv").write_text("pgc,name\n12,NGC 1\n")
    assert len(find_sources(tmp_path / "c.csv", galaxies)) == 3
    assert [one.pgc for one in find_sources(galaxies)].count(12) == 3
