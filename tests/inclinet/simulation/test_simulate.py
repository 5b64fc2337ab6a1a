import dataclasses

import galsim
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from inclinet.data.bands import BANDS
from inclinet.data.filenames import parse_image
from inclinet.errors import InclinetError
from inclinet.simulation import galaxy
from inclinet.simulation.population import draw_spiral
from inclinet.simulation.simulate import simulate

ROOT = "d25x2_rot"


def read(catalog):
    table = pd.read_csv(catalog, sep="|", dtype=str, keep_default_na=False).map(str.strip)
    return table.rename(columns=str.strip)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def mocks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mocks")
    assert simulate(24, folder, seed=3, size=64, workers=1) == folder / "catalog.csv"
    return folder


def axis_ratio(image):
    """Axis ratio by second moments about the centre of light."""
    y, x = np.indices(image.shape)
    weights = image.ravel() / image.sum()
    values = np.linalg.eigvalsh(np.cov(np.array([x.ravel(), y.ravel()]), aweights=weights))
    return np.sqrt(values[0] / values[1])


def render(mock, size=128):
    disc, bulge = galaxy.paint_galaxy(mock, np.random.default_rng(1), size, 2 * 60 * mock.d25 / size)
    return disc, bulge


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
    table = read(mocks / "catalog.csv")
    for pgc in table.pgc[table.inc_flg == "0"]:
        for band in BANDS:
            path = mocks / (f"pgc{pgc}_{ROOT}_gri.sdss.jpg" if band == "gri" else f"pgc{pgc}_{ROOT}_{band}.png")
            if not path.exists() or is_truncated(path):
                continue
            pixels = np.asarray(Image.open(path), dtype=float)
            sky, core = np.median(pixels), pixels[30:34, 30:34].mean()
            if band == "gri":
                assert sky < 15
                assert core > sky + 20
            else:
                assert 225 < sky < 250
                assert core < sky - 30


def test_catalogue_has_a_row_for_every_galaxy_in_the_real_layout(mocks):
    lines = (mocks / "catalog.csv").read_text().splitlines()
    assert len({len(line) for line in lines}) == 1
    table = read(mocks / "catalog.csv")
    assert table.pgc.astype(int).tolist() == list(range(9_000_001, 9_000_025))
    good = table[table.inc_flg == "0"]
    assert good.inc.astype(int).between(45, 90).all()
    assert good.inc_e.astype(int).between(1, 4).all()
    colour = good.g_mag.astype(float) - good.r_mag.astype(float)
    assert colour.between(0.1, 1.1).all()


def test_columns_are_those_of_the_real_catalogue(mocks, pytestconfig):
    real = pytestconfig.rootpath.parent / "shared" / "data" / "catalog.csv"
    if not real.exists():
        pytest.skip("no ../shared with the real catalogue")
    assert set(read(mocks / "catalog.csv").columns) <= set(read(real).columns)


@pytest.mark.parametrize("n", [5, 24])
def test_every_bad_case_is_there(n, mocks, tmp_path):
    folder = mocks
    if n != 24:
        folder = tmp_path
        simulate(n, folder, size=32, workers=1)
    table = read(folder / "catalog.csv")
    flagged = table.inc_flg.astype(int) > 0
    face_on = (table.fon == "F") | table.inc_note.str.contains("face_on")
    assert (flagged & face_on).sum() == 1
    assert (flagged & ~face_on).sum() == 1
    assert not (face_on & ~flagged).any()
    images = [path for path in folder.iterdir() if path.name != "catalog.csv"]
    assert len(images) == 4 * n - 1
    assert sum(is_truncated(path) for path in images) == 1


def test_few_galaxies_are_all_good(tmp_path):
    table = read(simulate(4, tmp_path, size=32))
    assert (table.inc_flg == "0").all()
    assert len(list(tmp_path.iterdir())) == 17


def test_same_seed_same_bytes_whatever_the_workers(tmp_path):
    for folder, seed, workers in (("one", 7, 1), ("two", 7, 2), ("other", 8, 1)):
        simulate(6, tmp_path / folder, seed=seed, size=48, workers=workers)
    one = contents(tmp_path / "one")
    assert one == contents(tmp_path / "two")
    other = contents(tmp_path / "other")
    assert not any(one[name] == other[name] for name in one.keys() & other.keys())


@pytest.mark.parametrize("inclination", [50, 80, 90])
def test_a_smooth_disc_without_dust_is_galsims(inclination):
    mock = dataclasses.replace(draw_spiral(np.random.default_rng(0), 1), young_fraction=0.0, q0=0.2)
    mock = dataclasses.replace(mock, inclination=inclination)
    axis = np.linspace(-galaxy.REACH, galaxy.REACH, galaxy.PLANE, dtype=np.float32)
    light = np.exp(-np.hypot(*np.meshgrid(axis, axis)))
    plane = np.dstack([light, np.zeros_like(light), np.zeros_like(light)])
    scale_length = 8
    u, v = np.meshgrid(*2 * [(np.arange(64, dtype=np.float32) - 31.5) / scale_length])
    ours = galaxy._project(mock, plane, u, v)[0][1]
    disc = galsim.InclinedExponential(
        inclination * galsim.degrees,
        scale_radius=scale_length,
        scale_h_over_r=galaxy.THICKNESS * mock.q0,
    )
    theirs = disc.drawImage(nx=64, ny=64, scale=1, method="no_pixel").array
    ours, theirs = ours / ours.sum(), theirs / theirs.sum()
    assert ours == pytest.approx(theirs, abs=0.03 * float(theirs.max()))


def test_axis_ratio_follows_the_inclination():
    inclinations = [45, 55, 65, 75, 85, 90]
    measured = []
    for k in range(6):
        mock = dataclasses.replace(draw_spiral(np.random.default_rng(k), 1), q0=0.2)
        tilted = [dataclasses.replace(mock, inclination=i) for i in inclinations]
        measured.append([axis_ratio(render(m)[0][1]) for m in tilted])
    assert (np.diff(measured) < 0).all()
    # Hubble's formula. Arms and bars make single galaxies scatter about it.
    expected = np.sqrt(np.cos(np.radians(inclinations)) ** 2 * (1 - 0.2**2) + 0.2**2)
    assert np.mean(measured, axis=0) == pytest.approx(expected, abs=0.03)
    assert np.std(measured, axis=0).max() < 0.06


def test_edge_on_discs_are_as_thick_as_the_standards():
    rng = np.random.default_rng(0)
    q0 = [draw_spiral(rng, 1).q0 for _ in range(300)]
    assert np.mean(q0) == pytest.approx(0.2, abs=0.01)
    assert np.std(q0) < 0.04


def test_dust_dims_and_reddens_the_nearer_side():
    mock = draw_spiral(np.random.default_rng(2), 1)
    mock = dataclasses.replace(mock, inclination=72, tau=2.0, angle=0.0, offset=(0.0, 0.0), near=1)
    # Upper rows have v < 0: the nearer side. The bulge shines through the dust there.
    bulge = render(mock)[1]
    near, far = bulge[:, :64].sum((1, 2)), bulge[:, 64:].sum((1, 2))
    assert near[1] < 0.9 * far[1]
    assert near[0] / near[2] < 0.95 * far[0] / far[2]
    mirrored = render(dataclasses.replace(mock, near=-1))[1]
    assert mirrored[:, ::-1] == pytest.approx(bulge, rel=1e-3)


def test_progress_is_over_the_finished_galaxies(tmp_path):
    seen = []

    def track(items, description, total):
        for item in items:
            seen.append((item["pgc"], total))
            yield item

    simulate(3, tmp_path, size=32, track=track)
    assert seen == [(f"{9_000_001 + k}", 3) for k in range(3)]


@pytest.mark.parametrize("option", [{"n": 0}, {"seed": -1}, {"size": 8}, {"workers": 0}])
def test_nonsense_is_refused_by_name(option, tmp_path):
    with pytest.raises(InclinetError, match=next(iter(option))):
        simulate(**{"n": 2, "outfolder": tmp_path} | option)
