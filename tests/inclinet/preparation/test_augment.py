import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inclinet.data.inclination import inclination_bin
from inclinet.data.samples import Batch, Samples, read_samples
from inclinet.errors import InclinetError
from inclinet.preparation.augment import augment, augment_batch
from inclinet.preparation.rendering import Transformation, render
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
)
@settings(max_examples=40, deadline=None)
def test_equal_bins_half_colour_half_inverted(labels, batchsize, bands, seed):
    batch = augment_batch(samples_of(bands, labels), batchsize, [seed], workers=1)
    classes = ("RGB" in bands) + bool(set(bands) - {"RGB"})
    counts = np.bincount(inclination_bin(batch.labels), minlength=9)
    filled = np.unique(inclination_bin(np.array(labels)))
    assert counts[filled].tolist() == [batchsize * classes] * len(filled)
    assert counts.sum() == len(batch.labels) == batchsize * classes * len(filled)
    colour = np.count_nonzero(batch.filters == b"c")
    assert colour == (len(batch.labels) // classes if "RGB" in bands else 0)
    gray = batch.filters != b"c"
    inverted = batch.images[gray][:, 0, 0, 0] > 127
    assert np.count_nonzero(inverted) == gray.sum() // 2
    shares = [np.count_nonzero(batch.filters == band.encode()) for band in bands if band != "RGB"]
    assert not shares or max(shares) - min(shares) <= len(filled)
    assert set(batch.labels.tolist()) <= set(labels)


def test_galaxies_take_equal_turns():
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
    other = augment_batch(samples, 8, [5, 1, 3])
    assert not np.array_equal(other.images, batches[0].images)


def drawn(**changes):
    plain = {
        "band": "RGB", "row": 0, "angle": 0.0, "zoom": 1.0, "flip": False, "shift": np.zeros(2), "blur": 0.0,
        "gamma": 1.0, "brightness": 1.0, "channels": np.ones(3), "noise": 0.0, "offset": 0, "invert": False,
    }  # fmt: skip
    return Transformation(**(plain | changes))


POOL = np.random.default_rng(0).standard_normal(1 << 20, np.float32)


def axis_ratio(image):
    light = image[..., 0].astype(float)
    y, x = np.mgrid[: len(light), : len(light)]
    total = light.sum()
    x, y = x - (light * x).sum() / total, y - (light * y).sum() / total
    xx, yy, xy = ((light * product).sum() / total for product in (x * x, y * y, x * y))
    low, high = np.linalg.eigvalsh([[xx, xy], [xy, yy]])
    return np.sqrt(low / high)


@given(
    inclination=st.integers(45, 85),
    angle=st.floats(0, 2 * np.pi),
    zoom=st.floats(0.8, 1.2),
    flip=st.booleans(),
    shift=st.tuples(st.floats(-0.12, 0.12), st.floats(-0.12, 0.12)),
    invert=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_the_axis_ratio_survives(inclination, angle, zoom, flip, shift, invert):
    image = disc(96, inclination, angle=0.3)
    before = axis_ratio(image)
    change = drawn(band="g", angle=angle, zoom=zoom, flip=flip, shift=np.array(shift), invert=invert)
    after = render(image, change, POOL)
    after = 255 - after if invert else after
    assert axis_ratio(after) == pytest.approx(before, rel=0.02)


def test_nothing_drawn_changes_nothing():
    image = disc(32, 60)
    assert np.array_equal(render(image, drawn(), POOL), image)
    assert np.array_equal(render(image, drawn(band="g", invert=True), POOL), 255 - image)


def test_brightness_does_not_cut_off_a_bright_sky():
    image = 240 - disc(32, 60) // 2
    changed = render(image, drawn(band="g", brightness=1.1), POOL)
    assert changed.max() < 255
    assert changed.min() < image.min()


def test_noise_is_for_colour_images_only():
    image = disc(32, 60)
    assert not np.array_equal(render(image, drawn(noise=5.0), POOL), image)
    assert np.array_equal(render(image, drawn(band="g", noise=5.0), POOL), image)


def test_published_files_are_taken(tmp_path, shared):
    reference = shared / "reference_npz"
    batch = Batch.read(reference / "128x128_train_aug_01.npz")
    assert batch.images.shape == (12, 128, 128, 3)
    shutil.copy(reference / "RGB_128x128_train_001.npz", tmp_path / "RGB_128x128_train_000.npz")
    [path] = augment(tmp_path, tmp_path / "out", niter=0, settings=Augment(nbatch=1, batchsize=2))
    assert path.relative_to(tmp_path / "out").as_posix() == "Uset_000_npz/128x128_train_aug_01.npz"
    again = Batch.read(path)
    assert sorted(again.labels.tolist()) == [56, 56, 81, 81]


def test_clear_errors(tmp_path):
    with pytest.raises(InclinetError, match="run `inclinet split` first"):
        augment(tmp_path, tmp_path)
    with pytest.raises(InclinetError, match="no galaxy labelled 45 deg or more"):
        augment_batch({}, 3, [0])
    with pytest.raises(InclinetError, match="no such file"):
        read_samples({"g": tmp_path / "none.npz"}, 16)
