"""Which images are found, and what is said of what is no image."""

import pytest
from PIL import Image

from inclinet.data.images import BadImageError
from inclinet.errors import InclinetError
from inclinet.prediction.sources import find_sources
from inclinet.storage.store import open_store
from tests.conftest import disc, write_catalog


@pytest.fixture
def galaxies(tmp_path):
    """A folder of images of PGC 3 in two bands and of PGC 7."""
    folder = tmp_path / "galaxies"
    folder.mkdir()
    for name in ("pgc3_d25x2_rot_g.png", "pgc3_d25x2_rot_r.png", "pgc7_d25x2_rot_g.png"):
        Image.fromarray(disc(32, 60, channels=1)).save(folder / name)
    return folder


def test_every_galaxy_of_a_catalogue_has_a_source(galaxies, tmp_path):
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
    assert [(one.pgc, one.band, one.truth, one.problem) for one in found] == [
        (3, "g", 60, ""),
        (3, "r", 60, ""),
        (7, "g", None, ""),
        (9, None, 50, missing),
        (5, None, None, missing),
        (8, None, None, missing),
    ]
    with pytest.raises(BadImageError, match="no image in"):
        found[-1].open()


def test_galaxies_without_any_inclination_can_be_predicted(galaxies, tmp_path):
    catalog = write_catalog(tmp_path / "catalog.csv", [{"pgc": 3, "inc": ""}])
    assert [(one.pgc, one.truth) for one in find_sources(catalog)] == [(3, None)] * 2
    nameless = write_catalog(tmp_path / "nameless.csv", [{"pgc": "M 51", "inc": "60"}])
    with pytest.raises(InclinetError, match=r"no row of the catalogue has a PGC number \(line 2: PGC number 'M 51'"):
        find_sources(nameless)


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
    with pytest.raises(InclinetError, match="no PNG or JPEG image in this folder"):
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
    assert text.problem == "neither an image (PNG or JPEG) nor a catalogue (.csv, .txt, .dat)"


def test_folders_and_paths_that_are_wrong(tmp_path):
    with pytest.raises(InclinetError, match="no PNG or JPEG image in this folder"):
        find_sources(tmp_path)
    with pytest.raises(InclinetError, match="none: no such image, folder or catalogue"):
        find_sources(tmp_path / "none")
    catalog = write_catalog(tmp_path / "catalog.csv", [{"pgc": 3, "inc": 60}])
    with pytest.raises(InclinetError, match="no such folder of images") as raised:
        find_sources(catalog, tmp_path / "none")
    assert raised.value.setting == "impath"
