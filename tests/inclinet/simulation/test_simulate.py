import numpy as np
import pytest
from PIL import Image

from inclinet.data.bands import BANDS
from inclinet.data.filenames import parse_image
from inclinet.errors import InclinetError
from inclinet.simulation.simulate import simulate
from tests.inclinet.simulation.conftest import read_cells

ROOT = "d25x2_rot"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def is_truncated(path):
    try:
        Image.open(path).load()
    except OSError:
        return True
    return False


def test_images_are_named_and_stored_as_in_the_survey(mocks):
    names = {path.name: parse_image(path.name, ROOT) for path in mocks.iterdir() if path.name != "catalog.csv"}
    assert all(names.values())
    assert len(names) == 4 * 24 - 1
    for name, parsed in names.items():
        image = Image.open(mocks / name)
        assert image.size == (64, 64)
        assert image.mode == ("RGB" if parsed.band == "gri" else "L")
        assert parsed.preferred == (parsed.band == "gri")


def test_grayscale_is_dark_on_light_and_colour_light_on_black(mocks):
    table = read_cells(mocks / "catalog.csv")
    for pgc in table.pgc[table.inc_flg == "0"]:
        for band in BANDS:
            path = mocks / (f"pgc{pgc}_{ROOT}_gri.sdss.jpg" if band == "gri" else f"pgc{pgc}_{ROOT}_{band}.png")
            if not path.exists() or is_truncated(path):
                continue
            pixels = np.asarray(Image.open(path), dtype=float)
            sky, core = np.median(pixels), pixels[30:34, 30:34].mean()
            if band == "gri":
                assert sky < 40
                assert core > sky + 20
            else:
                assert 200 < sky < 250
                assert core < sky - 10


@pytest.mark.parametrize("n", [5, 24])
def test_there_is_one_of_each_flaw(n, mocks, tmp_path):
    folder = mocks
    if n != 24:
        folder = tmp_path
        simulate(n, folder, size=32, workers=1)
    table = read_cells(folder / "catalog.csv")
    flagged = table.inc_flg.astype(int) > 0
    face_on = (table.fon == "F") | table.inc_note.str.contains("face_on")
    assert (flagged & face_on).sum() == 1
    assert (flagged & ~face_on).sum() == 1
    assert not (face_on & ~flagged).any()
    images = [path for path in folder.iterdir() if path.name != "catalog.csv"]
    assert len(images) == 4 * n - 1
    assert sum(is_truncated(path) for path in images) == 1


def test_face_on_and_useless_galaxies_have_their_shares(tmp_path):
    table = read_cells(simulate(20, tmp_path, size=32, workers=1, face_on=0.4, useless=0.2))
    face_on = (table.fon == "F") | table.inc_note.str.contains("face_on")
    assert face_on.sum() == 8
    assert ((table.inc_flg != "0") & ~face_on).sum() == 4


@pytest.mark.parametrize("setting", ["face_on", "useless"])
def test_a_share_out_of_bounds_is_refused(setting, tmp_path):
    with pytest.raises(InclinetError, match=f"{setting} is 0.5") as caught:
        simulate(2, tmp_path, **{setting: 0.5})
    assert caught.value.setting == setting


def test_few_galaxies_are_all_good(tmp_path):
    table = read_cells(simulate(4, tmp_path, size=32))
    assert (table.inc_flg == "0").all()
    assert len(list(tmp_path.iterdir())) == 17


def test_same_seed_same_bytes_whatever_the_workers(tmp_path):
    for folder, seed, workers in (("one", 7, 1), ("two", 7, 2), ("other", 8, 1)):
        simulate(6, tmp_path / folder, seed=seed, size=48, workers=workers)
    one = contents(tmp_path / "one")
    assert one == contents(tmp_path / "two")
    other = contents(tmp_path / "other")
    assert not any(one[name] == other[name] for name in one.keys() & other.keys())


def test_progress_counts_the_finished_galaxies(tmp_path):
    seen = []

    def track(items, description, total):
        for item in items:
            seen.append((item["pgc"], total))
            yield item

    simulate(3, tmp_path, size=32, track=track)
    assert seen == [(f"{9_000_001 + k}", 3) for k in range(3)]


@pytest.mark.parametrize(("setting", "value"), [("n", 0), ("seed", -1), ("size", 8), ("workers", 0)])
def test_a_value_too_small_is_refused_and_its_setting_named(setting, value, tmp_path):
    with pytest.raises(InclinetError, match=f"{setting} is {value}") as caught:
        simulate(**{"n": 2, "outfolder": tmp_path, setting: value})
    assert caught.value.setting == setting
