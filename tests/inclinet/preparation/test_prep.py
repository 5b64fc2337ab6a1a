import csv
import shutil

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from inclinet.data.catalog import read_catalog
from inclinet.errors import InclinetError
from inclinet.preparation.compress import compress
from inclinet.preparation.prep import prep, prep_bands
from inclinet.preparation.split import read_packed
from tests.conftest import disc, write_catalog


def reasons(path):
    with path.open() as file:
        return {row["pgc"]: row["reason"] for row in csv.DictReader(file)}


def test_one_bad_galaxy_never_ends_a_run(tmp_path, small_sample):
    folder = tmp_path / "galaxies"
    folder.mkdir()
    for pgc in (1, 2, 3):
        shutil.copy(small_sample / "galaxies" / f"pgc{pgc}_d25x2_rot_g.png", folder)
    broken = folder / "pgc2_d25x2_rot_g.png"
    broken.write_bytes(broken.read_bytes()[:100])
    shutil.copy(folder / "pgc3_d25x2_rot_g.png", folder / "pgc77_d25x2_rot_g.png")
    catalog = write_catalog(tmp_path / "c.csv", [{"pgc": pgc, "inc": 60} for pgc in (1, 2, 3, 4)])
    done = prep(folder, catalog, "g", size=16, outfolder=tmp_path)
    assert sorted(path.name for path in done.folder.iterdir()) == ["pgc1_16x16_60.g.jpg", "pgc3_16x16_60.g.jpg"]
    listed = reasons(tmp_path / "16x16_g_skipped.csv")
    assert set(listed) == {"2", "4", "77"}
    assert "pgc2_d25x2_rot_g.png" in listed["2"]
    assert listed["4"] == "no image in band g"
    assert "not in the catalogue" in listed["77"]


def test_no_usable_image_is_an_error_and_keeps_the_old_folder(tmp_path, small_sample):
    prep(small_sample / "galaxies", small_sample / "catalog.csv", "r", size=16, outfolder=tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InclinetError, match="no image in band r is left"):
        prep(empty, small_sample / "catalog.csv", "r", size=16, outfolder=tmp_path)
    assert len(list((tmp_path / "16x16_r").iterdir())) == 60
    assert not list(tmp_path.glob(".part-*"))


def test_blank_images_and_links_without_a_target_are_skipped_and_other_files_counted(tmp_path, small_sample, caplog):
    folder = tmp_path / "galaxies"
    folder.mkdir()
    shutil.copy(small_sample / "galaxies" / "pgc1_d25x2_rot_g.png", folder)
    Image.fromarray(np.full((64, 64), 255, np.uint8)).save(folder / "pgc2_d25x2_rot_g.PNG")
    (folder / "pgc3_d25x2_rot_g.png").symlink_to(tmp_path / "gone.png")
    fits.PrimaryHDU(disc(48, 60, channels=1) + np.eye(48, dtype=np.float32)).writeto(folder / "pgc4_d25x2_rot_g.fits")
    (folder / "README.md").write_text("nothing")
    columns = {"inc": 60, "inc_flg": 0, "fon": "", "inc_note": ""}
    catalog = write_catalog(folder / "c.csv", [{"pgc": pgc, **columns} for pgc in (1, 2, 3, 4)])
    done = prep(folder, catalog, "g", size=16, outfolder=tmp_path)
    assert done.images == 2
    assert done.skipped == {
        2: "pgc2_d25x2_rot_g.PNG: blank: white throughout",
        3: "pgc3_d25x2_rot_g.png: no such file",
    }
    assert caplog.messages == [f"{folder}: 1 files that are no images of a galaxy are left out (README.md)"]


def test_alpha_is_not_light(tmp_path):
    """A nearly transparent image is downsampled as if it were opaque."""
    light = disc(48, 60, channels=1)
    folder = tmp_path / "galaxies"
    folder.mkdir()
    Image.fromarray(light).save(folder / "pgc1_d25x2_rot_g.png")
    faint = Image.fromarray(np.dstack([light, np.full_like(light, 10)]), "LA")
    faint.save(folder / "pgc2_d25x2_rot_g.png")
    catalog = write_catalog(tmp_path / "c.csv", [{"pgc": pgc, "inc": 60} for pgc in (1, 2)])
    done = prep(folder, catalog, "g", size=16, outfolder=tmp_path)
    opaque, transparent = sorted(done.folder.iterdir())
    assert opaque.read_bytes() == transparent.read_bytes()


def test_a_real_image_with_alpha_is_as_bright_as_its_neighbours(tmp_path, shared):
    """PGC 676 has an alpha channel."""
    for band in "gri":
        done = prep(shared / "galaxies", shared / "catalog.csv", band, size=64, outfolder=tmp_path)
        images, pgcs, _ = read_packed(compress(done.folder, tmp_path, size=64))
        means = dict(zip(pgcs.tolist(), images.mean(axis=(1, 2, 3)).tolist(), strict=True))
        others = [mean for pgc, mean in means.items() if pgc != 676]
        assert min(others) - 5 < means[676] < max(others) + 5


def test_an_unknown_band_and_a_missing_folder_name_their_settings(tmp_path):
    with pytest.raises(InclinetError, match="'RGB' cannot be the name of a band") as caught:
        prep(tmp_path, tmp_path / "c.csv", "RGB")
    assert caught.value.setting == "band"
    with pytest.raises(InclinetError, match="no such folder of images") as caught:
        prep(tmp_path / "nowhere", tmp_path / "c.csv", "g")
    assert caught.value.setting == "impath"


def test_an_image_that_cannot_be_where_its_cell_says_is_skipped(tmp_path, small_sample, s3_server):
    cells = {1: "pgc1_d25x2_rot_g.png", 2: "s3://two words/a.png", 3: "s3://no-such-bucket-here/a.png", 4: "none.png"}
    rows = [{"pgc": pgc, "inc": 60, "file": cell} for pgc, cell in cells.items()]
    catalog = write_catalog(tmp_path / "c.csv", rows)
    done = prep(small_sample / "galaxies", catalog, "g", size=16, columns={"image": "file"}, outfolder=tmp_path)
    assert done.images == 1
    assert done.skipped.keys() == {2, 3, 4}
    assert "give s3://bucket/prefix" in done.skipped[2]
    assert "no such" in done.skipped[3]


def test_several_bands_are_prepared_in_one_pass(small_sample, tmp_path, monkeypatch):
    """With the same files as one by one; the catalogue is read once."""
    from inclinet.preparation import prep as module

    reads = []
    monkeypatch.setattr(module, "read_catalog", lambda *a, **k: reads.append(a) or read_catalog(*a, **k))
    given = small_sample / "galaxies", small_sample / "catalog.csv"
    together = prep_bands(*given, ["g", "gri"], size=16, outfolder=tmp_path / "together")
    assert len(reads) == 1
    for band, done in zip(("g", "gri"), together, strict=True):
        alone = prep(*given, band, size=16, outfolder=tmp_path / "alone")
        assert (done.images, done.skipped) == (alone.images, alone.skipped)
        files = {path.name: path.read_bytes() for path in done.folder.iterdir()}
        assert files == {path.name: path.read_bytes() for path in alone.folder.iterdir()}
    with pytest.raises(InclinetError, match="name each band once"):
        prep_bands(*given, ["g", "g"], outfolder=tmp_path)
