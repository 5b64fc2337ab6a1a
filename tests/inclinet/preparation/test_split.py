import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inclinet.data.filenames import sample_file
from inclinet.errors import InclinetError
from inclinet.preparation.split import hash_fraction, read_packed, sides, split
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


def test_face_on_and_rejected_galaxies_take_no_part(tmp_path):
    packed(tmp_path, "g", np.arange(1, 61), np.array([0, 1, 44, 45, 90, 60] * 10))
    split(tmp_path, tmp_path, size=8, settings=Split(niter=0))
    sizes = [len(read_arrays(tmp_path / f"g_8x8_{side}_000.npz", ["labels"])["labels"]) for side in ("train", "test")]
    assert sum(sizes) == 30


def test_without_input_the_stage_before_is_named(tmp_path):
    with pytest.raises(InclinetError, match="run `inclinet compress` first"):
        split(tmp_path, tmp_path, size=8)
    packed(tmp_path, "g", np.arange(1, 4), np.array([0, 1, 0]))
    with pytest.raises(InclinetError, match="no galaxy labelled 45 deg or more"):
        split(tmp_path, tmp_path, size=8)


def write_published(path, size=8):
    """Write a packed array file as the published pipeline did: compressed, big-endian int32 throughout."""
    pgcs, labels = np.array([3, 5, 7, 9, 11]), np.array([71, 0, 56, 1, 80])
    images = np.repeat(pgcs, size * size * 3).reshape(-1, size, size, 3)
    np.savez_compressed(path, images=images.astype(">i4"), labels=np.array([pgcs, labels], ">i4"))
    return pgcs, labels


def test_a_packed_file_of_the_published_pipeline_is_read_and_split(tmp_path):
    pgcs, labels = write_published(tmp_path / "8x8_g.npz")
    images, read_pgcs, read_labels = read_packed(tmp_path / "8x8_g.npz")
    assert images.shape == (5, 8, 8, 3)
    assert (read_pgcs.tolist(), read_labels.tolist()) == (pgcs.tolist(), labels.tolist())
    split(tmp_path, tmp_path / "s", size=8, settings=Split(niter=0))
    found = {}
    for side in ("train", "test"):
        arrays = read_arrays(tmp_path / "s" / sample_file("g", 8, side, 0), ["images", "labels", "pgcIDs"])
        assert arrays["images"].dtype == np.uint8
        assert np.array_equal(arrays["images"][:, 0, 0, 0], arrays["pgcIDs"])
        found |= dict(zip(arrays["pgcIDs"].tolist(), arrays["labels"].tolist(), strict=True))
    assert found == {3: 71, 7: 56, 11: 80}


def test_the_published_packed_file_is_read(shared):
    images, pgcs, labels = read_packed(shared / "reference_npz" / "128x128_g.npz")
    assert images.shape == (8, 128, 128, 3)
    assert dict(zip(pgcs.tolist(), labels.tolist(), strict=True))[676] == 71


def test_the_published_file_is_split(tmp_path, shared):
    (tmp_path / "128x128_g.npz").symlink_to(shared / "reference_npz" / "128x128_g.npz")
    split(tmp_path, tmp_path / "samples", size=128, settings=Split(niter=1))
    sizes = [
        len(read_arrays(tmp_path / "samples" / f"g_128x128_{side}_000.npz", ["images"])["images"])
        for side in ("train", "test")
    ]
    assert sum(sizes) == 5


def test_membership_is_fixed_for_ever():
    """Galaxies of published versions stay on their sides: these numbers must never change."""
    assert hash_fraction(676, 0, "test") == pytest.approx(0.8213099529840943, abs=1e-15)
    assert hash_fraction(676, 3, "subsample 2") == pytest.approx(0.3014230151454191, abs=1e-15)


@given(galaxies=st.sets(st.integers(1, 10**6), min_size=1, max_size=200), folds=st.integers(2, 10))
@settings(max_examples=30, deadline=None)
def test_with_folds_every_galaxy_is_left_out_once_and_stays_in_its_fold(galaxies, folds):
    pgcs = np.array(sorted(galaxies))
    members = sides(pgcs, Split(folds=folds))
    assert not members["test", 0].any()
    assert members["train", 0].all()
    left_out = np.array([members["test", k] for k in range(1, folds + 1)])
    assert np.all(left_out.sum(axis=0) == 1)
    assert all(np.array_equal(members["train", k], ~left_out[k - 1]) for k in range(1, folds + 1))
    fewer = sides(pgcs[::2], Split(folds=folds))
    assert all(np.array_equal(fewer[side], members[side][::2]) for side in members)


def test_folds_are_about_equal_and_one_is_refused():
    members = sides(np.arange(5000), Split(folds=5))
    assert all(900 < members["test", k].sum() < 1100 for k in range(1, 6))
    with pytest.raises(ValueError, match="one fold would leave nothing"):
        Split(folds=1)
