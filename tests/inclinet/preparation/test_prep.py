import csv
import shutil

import numpy as np
import pytest
from PIL import Image

from inclinet.errors import InclinetError
from inclinet.preparation.compress import compress
from inclinet.preparation.prep import prep
from inclinet.preparation.split import read_packed
from inclinet.storage.npz import read_arrays
from tests.conftest import write_catalog


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


def test_nothing_left_is_an_error_and_leaves_the_old_folder(tmp_path, small_sample):
    prep(small_sample / "galaxies", small_sample / "catalog.csv", "r", size=16, outfolder=tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InclinetError, match="no image in band r is left"):
        prep(empty, small_sample / "catalog.csv", "r", size=16, outfolder=tmp_path)
    assert len(list((tmp_path / "16x16_r").iterdir())) == 60
    assert not list(tmp_path.glob(".part-*"))


def test_packing_keeps_order_labels_and_pixels(tmp_path, small_sample):
    done = prep(small_sample / "galaxies", small_sample / "catalog.csv", "gri", size=16, outfolder=tmp_path)
    path = compress(done.folder, tmp_path, size=16, workers=3)
    assert path.name == "16x16_RGB.npz"
    arrays = read_arrays(path, ["images", "labels"])
    assert (arrays["images"].dtype, arrays["images"].shape) == (np.uint8, (60, 16, 16, 3))
    assert (arrays["labels"].dtype, arrays["labels"].shape) == (np.int32, (2, 60))
    assert arrays["labels"][0].tolist() == list(range(1, 61))
    small = next(done.folder.glob("pgc7_*"))
    assert np.array_equal(arrays["images"][6], np.asarray(Image.open(small)))
    # numpy alone reads the file.
    with np.load(path, allow_pickle=False) as plain:
        assert np.array_equal(plain["images"], arrays["images"])


def test_the_same_input_gives_the_same_bytes(tmp_path, small_sample):
    contents = []
    for name, workers in (("a", 1), ("b", 4)):
        where = tmp_path / name
        args = (small_sample / "galaxies", small_sample / "catalog.csv", "g")
        done = prep(*args, size=16, outfolder=where, workers=workers)
        contents.append(compress(done.folder, where, size=16, workers=workers).read_bytes())
    assert contents[0] == contents[1]


def test_a_wrong_size_is_named(tmp_path, small_sample):
    done = prep(small_sample / "galaxies", small_sample / "catalog.csv", "g", size=16, outfolder=tmp_path)
    with pytest.raises(InclinetError, match=r"images of size 16, not of size 32 \(option --size\)"):
        compress(done.folder, tmp_path, size=32)


def test_alpha_is_not_light(tmp_path, shared):
    """PGC 676 is of mode LA: its sky must be as bright as its neighbours'."""
    for band in "gri":
        done = prep(shared / "galaxies", shared / "catalog.csv", band, size=64, outfolder=tmp_path)
        images, pgcs, _ = read_packed(compress(done.folder, tmp_path, size=64))
        means = dict(zip(pgcs.tolist(), images.mean(axis=(1, 2, 3)).tolist(), strict=True))
        others = [mean for pgc, mean in means.items() if pgc != 676]
        assert min(others) - 5 < means[676] < max(others) + 5


def test_the_published_packed_file_is_read(shared):
    images, pgcs, labels = read_packed(shared / "reference_npz" / "128x128_g.npz")
    assert images.shape == (8, 128, 128, 3)
    assert dict(zip(pgcs.tolist(), labels.tolist(), strict=True))[676] == 71
