import shutil

import numpy as np
import pytest
from PIL import Image

from inclinet.errors import InclinetError
from inclinet.preparation.compress import compress
from inclinet.preparation.prep import prep
from inclinet.storage.npz import read_arrays


def small_images(small_sample, tmp_path, band="g"):
    """Return the folder of one band's downsampled images, 16 pixels a side."""
    return prep(small_sample / "galaxies", small_sample / "catalog.csv", band, size=16, outfolder=tmp_path).folder


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
    # NumPy can read the file by itself.
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
    with pytest.raises(InclinetError, match=r"images of size 16, not of size 32$") as caught:
        compress(done.folder, tmp_path, size=32)
    assert caught.value.setting == "size"


def test_other_bad_folders_name_the_folder(tmp_path, small_sample):
    with pytest.raises(InclinetError, match="no such folder; run `inclinet prep` first") as caught:
        compress(tmp_path / "nowhere", tmp_path)
    assert caught.value.setting == "infolder"
    (tmp_path / "empty").mkdir()
    with pytest.raises(InclinetError, match="holds no downsampled images of size 16"):
        compress(tmp_path / "empty", tmp_path, size=16)
    folder = small_images(small_sample, tmp_path)
    first = min(folder.glob("pgc7_*"))
    shutil.copy(first, folder / "pgc7_16x16_F.g.jpg")
    with pytest.raises(InclinetError, match="two images of PGC 7 with different labels"):
        compress(folder, tmp_path, size=16)
    (folder / "pgc7_16x16_F.g.jpg").rename(folder / "pgc100_16x16_F.i.jpg")
    with pytest.raises(InclinetError, match="mixes the bands g, i"):
        compress(folder, tmp_path, size=16)


def test_a_damaged_image_is_named(tmp_path, small_sample):
    folder = small_images(small_sample, tmp_path)
    damaged = min(folder.glob("pgc7_*"))
    damaged.write_bytes(damaged.read_bytes()[:50])
    with pytest.raises(InclinetError, match=rf"{damaged.name}: .*run `inclinet prep` again"):
        compress(folder, tmp_path, size=16)
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) * 4).save(damaged)
    with pytest.raises(InclinetError, match=r"has 8×8 pixels; run `inclinet prep` again"):
        compress(folder, tmp_path, size=16)
