import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inclinet.data.inclination import inclination_bin
from inclinet.data.samples import Batch, Samples, read_samples
from inclinet.errors import InclinetError
from inclinet.preparation.augment import (
    augment,
    augment_batch,
    training_batch,
    validation_batch,
    write_training_batch,
)
from inclinet.preparation.split import left_out_galaxies
from inclinet.preparation.transformation import PRESETS
from inclinet.settings import Augment
from tests.conftest import disc


def samples_of(bands, labels, size=16):
    labels = np.array(labels, np.int32)
    images = np.stack([disc(size, label) for label in labels])
    return {band: Samples(images, labels, np.arange(1, len(labels) + 1, dtype=np.int32)) for band in bands}


def test_bins_hold_their_upper_edge():
    assert inclination_bin([45, 46, 50, 51, 55, 56, 85, 86, 90]).tolist() == [0, 0, 0, 1, 1, 2, 7, 8, 8]


@given(
    labels=st.lists(st.integers(45, 90), min_size=1, max_size=40),
    batchsize=st.integers(1, 12),
    bands=st.sampled_from([("RGB",), ("g",), ("g", "r", "i"), ("RGB", "g", "r", "i"), ("RGB", "r")]),
    seed=st.integers(0, 1000),
    preset=st.sampled_from(sorted(PRESETS)),
)
@settings(max_examples=40, deadline=None)
def test_equal_bins_half_colour_half_inverted(labels, batchsize, bands, seed, preset):
    batch = augment_batch(samples_of(bands, labels), batchsize, [seed], ranges=PRESETS[preset], workers=1)
    classes = ("RGB" in bands) + bool(set(bands) - {"RGB"})
    counts = np.bincount(inclination_bin(batch.labels), minlength=9)
    filled = np.unique(inclination_bin(np.array(labels)))
    assert counts[filled].tolist() == [batchsize * classes] * len(filled)
    assert counts.sum() == len(batch.labels) == batchsize * classes * len(filled)
    colour = np.count_nonzero(batch.filters == b"c")
    assert colour == (len(batch.labels) // classes if "RGB" in bands else 0)
    gray = batch.filters != b"c"
    inverted = batch.images[gray][:, 0, 0, 0] > 127
    assert np.count_nonzero(inverted) == (gray.sum() // 2 if preset == "published" else 0)
    shares = [np.count_nonzero(batch.filters == band.encode()) for band in bands if band != "RGB"]
    assert not shares or max(shares) - min(shares) <= len(filled)
    assert set(batch.labels.tolist()) <= set(labels)


def test_galaxies_are_used_equally_often():
    labels = [46, 47, 48, 49, 50] * 2
    batch = augment_batch(samples_of(("RGB",), labels), 40, [1])
    assert set(np.bincount(batch.pgcs)[1:].tolist()) == {4}


def test_a_bin_that_one_colour_class_lacks_is_filled_by_the_other():
    samples = samples_of(("RGB",), [50, 60]) | samples_of(("g",), [60, 60])
    batch = augment_batch(samples, 6, [1])
    assert np.bincount(inclination_bin(batch.labels))[[0, 2]].tolist() == [12, 12]


def test_the_same_seed_gives_the_same_bytes_whatever_the_workers(tmp_path):
    samples = samples_of(("RGB", "g", "r"), range(45, 91))
    batches = [augment_batch(samples, 8, [5, 1, 2], workers=workers) for workers in (1, 4)]
    contents = [batch.write(tmp_path / f"{n}.npz").read_bytes() for n, batch in enumerate(batches)]
    assert contents[0] == contents[1]
    settings = Augment(batchsize=8)
    contents = [tmp_path / f"stored {workers}.npz" for workers in (1, 4)]
    for path, workers in zip(contents, (1, 4), strict=True):
        assert write_training_batch(path, samples, 1, 2, settings, workers=workers) == 9 * 2 * 8
    assert contents[0].read_bytes() == contents[1].read_bytes()
    again = training_batch(samples, 1, 2, settings)
    assert np.array_equal(Batch.read(contents[0]).images, again.images)
    assert again.write(contents[1]).read_bytes() == contents[0].read_bytes()
    other = augment_batch(samples, 8, [5, 1, 3])
    assert not np.array_equal(other.images, batches[0].images)


def test_files_of_the_published_pipeline_are_read(tmp_path):
    """They are compressed, with big-endian labels and PGC numbers."""
    labels, pgcs = np.array([56, 81], ">i4"), np.array([2, 3], ">i4")
    images = np.stack([disc(16, label) for label in labels])
    np.savez_compressed(tmp_path / "RGB_16x16_train_000.npz", images=images, labels=labels, pgcIDs=pgcs)
    [path] = augment(tmp_path, tmp_path / "out", size=16, niter=0, settings=Augment(nbatch=1, batchsize=2))
    assert path.relative_to(tmp_path / "out").as_posix() == "Uset_000_npz/16x16_train_aug_01.npz"
    batch = Batch.read(path)
    assert sorted(batch.labels.tolist()) == [56, 56, 81, 81]
    assert sorted(batch.pgcs.tolist()) == [2, 2, 3, 3]
    assert set(batch.filters.tolist()) == {b"c"}


def test_the_published_files_are_read(tmp_path, shared):
    reference = shared / "reference_npz"
    batch = Batch.read(reference / "128x128_train_aug_01.npz")
    assert batch.images.shape == (12, 128, 128, 3)
    shutil.copy(reference / "RGB_128x128_train_001.npz", tmp_path / "RGB_128x128_train_000.npz")
    [path] = augment(tmp_path, tmp_path / "out", niter=0, settings=Augment(nbatch=1, batchsize=2))
    assert path.relative_to(tmp_path / "out").as_posix() == "Uset_000_npz/128x128_train_aug_01.npz"
    assert sorted(Batch.read(path).labels.tolist()) == [56, 56, 81, 81]


def test_the_validation_batch_is_an_eighth_of_a_stored_batch_and_always_the_same():
    samples = samples_of(("RGB", "g"), range(45, 91))
    batch = validation_batch(samples, 16)
    assert len(batch.labels) == 9 * 2 * 2
    assert np.array_equal(batch.images, validation_batch(samples, 16).images)
    assert validation_batch({}, 16) is None


def test_left_out_galaxies_are_not_in_the_batches_of_subsample_0():
    labels = np.repeat(np.arange(45, 91), 5)
    samples = samples_of(("RGB",), labels)
    left_out = set(left_out_galaxies(samples, 0).tolist())
    assert left_out
    kept = training_batch(samples, 0, 1, Augment(batchsize=40))
    assert not left_out & set(kept.pgcs.tolist())
    everything = training_batch(samples, 0, 1, Augment(batchsize=40, leave_out=False))
    assert left_out & set(everything.pgcs.tolist())


def test_missing_samples_are_named(tmp_path):
    with pytest.raises(InclinetError, match="run `inclinet split` first"):
        augment(tmp_path, tmp_path)
    with pytest.raises(InclinetError, match="no galaxy labelled 45 deg or more"):
        augment_batch({}, 3, [0])
    with pytest.raises(InclinetError, match="no such file"):
        read_samples({"g": tmp_path / "none.npz"}, 16)
