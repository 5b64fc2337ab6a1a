import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inclinet.data.filenames import sample_file
from inclinet.errors import InclinetError
from inclinet.preparation.split import sides, split
from inclinet.settings import Split
from inclinet.storage.npz import read_arrays, write_arrays

pgcs = st.lists(st.integers(1, 10**8), min_size=1, max_size=200, unique=True).map(np.array)


def members(galaxies, chosen):
    return {name: set(galaxies[mask].tolist()) for name, mask in sides(galaxies, chosen).items()}


@given(galaxies=pgcs, niter=st.integers(0, 4), seed=st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_no_galaxy_is_on_two_sides(galaxies, niter, seed):
    found = members(galaxies, Split(niter=niter, seed=seed))
    everything = set(galaxies.tolist())
    assert found["test", 0] | found["train", 0] == everything
    assert not found["test", 0] & found["train", 0]
    for k in range(1, niter + 1):
        assert found["train", k] | found["test", k] == found["train", 0]
        assert not found["train", k] & found["test", k]


@given(galaxies=pgcs, more=pgcs)
@settings(max_examples=50, deadline=None)
def test_adding_galaxies_never_moves_one(galaxies, more):
    before = members(galaxies, Split())
    after = members(np.union1d(galaxies, more), Split())
    for side, inside in before.items():
        assert inside == after[side] & set(galaxies.tolist())


@given(first=st.integers(1, 10**8), seed=st.integers(0, 10**6))
@settings(max_examples=10, deadline=None)
def test_shares_within_a_binomial_margin(first, seed):
    n = 4000
    found = members(np.arange(first, first + n), Split(niter=2, seed=seed))
    margin = 5 * np.sqrt(n * 0.1 * 0.9)
    assert abs(len(found["test", 0]) - 0.1 * n) < margin
    train = len(found["train", 0])
    for k in (1, 2):
        assert abs(len(found["train", k]) - 0.67 * train) < 5 * np.sqrt(train * 0.67 * 0.33)
    assert found["train", 1] != found["train", 2]


def packed(folder, band, galaxies, labels, size=8):
    images = np.repeat(galaxies % 251, size * size * 3).astype(np.uint8).reshape(-1, size, size, 3)
    return write_arrays(
        folder / f"{size}x{size}_{band}.npz", {"images": images, "labels": np.array([galaxies, labels], np.int32)}
    )


def test_a_galaxy_is_on_the_same_side_in_all_bands(tmp_path):
    rng = np.random.default_rng(1)
    galaxies = np.arange(1, 301)
    labels = rng.integers(45, 91, 300)
    where = {}
    for band in ("RGB", "g", "r", "i"):
        kept = rng.random(300) < 0.8
        packed(tmp_path, band, galaxies[kept], labels[kept])
    split(tmp_path, tmp_path / "s", size=8, settings=Split(niter=2))
    for band in ("RGB", "g", "r", "i"):
        for side in ("train", "test"):
            for k in range(3):
                arrays = read_arrays(tmp_path / "s" / sample_file(band, 8, side, k), ["images", "labels", "pgcIDs"])
                assert np.array_equal(arrays["images"][:, 0, 0, 0], arrays["pgcIDs"] % 251)
                assert np.array_equal(arrays["labels"], labels[arrays["pgcIDs"] - 1])
                for pgc in arrays["pgcIDs"].tolist():
                    assert where.setdefault((pgc, k), side) == side


def test_faces_and_rejected_take_no_part(tmp_path):
    packed(tmp_path, "g", np.arange(1, 61), np.array([0, 1, 44, 45, 90, 60] * 10))
    split(tmp_path, tmp_path, size=8, settings=Split(niter=0))
    sizes = [len(read_arrays(tmp_path / f"g_8x8_{side}_000.npz", ["labels"])["labels"]) for side in ("train", "test")]
    assert sum(sizes) == 30


def test_clear_errors(tmp_path):
    with pytest.raises(InclinetError, match="run `inclinet compress` first"):
        split(tmp_path, tmp_path, size=8)
    packed(tmp_path, "g", np.arange(1, 4), np.array([0, 1, 0]))
    with pytest.raises(InclinetError, match="no galaxy labelled 45 deg or more"):
        split(tmp_path, tmp_path, size=8)


def test_the_published_files_are_taken(tmp_path, shared):
    (tmp_path / "128x128_g.npz").symlink_to(shared / "reference_npz" / "128x128_g.npz")
    split(tmp_path, tmp_path / "samples", size=128, settings=Split(niter=1))
    sizes = [
        len(read_arrays(tmp_path / "samples" / f"g_128x128_{side}_000.npz", ["images"])["images"])
        for side in ("train", "test")
    ]
    assert sum(sizes) == 5
