from collections import Counter

import numpy as np
import pytest

from inclinet.data.bands import GRAY_BANDS
from inclinet.data.samples import Samples
from inclinet.preparation.choice import choose_rows

NOBODY = np.empty(0, int)


def sample(labels):
    labels = np.array(labels, np.int32)
    return Samples(np.zeros((len(labels), 8, 8, 3), np.uint8), labels, np.arange(1, len(labels) + 1, dtype=np.int32))


def choose(samples, batchsize, without=NOBODY, seed=0):
    return choose_rows(samples, batchsize, np.random.default_rng(seed), without)


@pytest.mark.parametrize("batchsize", [1, 6, 50])
def test_half_the_images_are_colour_and_grayscale_bands_have_equal_shares(batchsize):
    counts = Counter(band for band, _ in choose({band: sample([61, 62]) for band in ("RGB", *GRAY_BANDS)}, batchsize))
    assert counts["RGB"] == batchsize
    shares = [counts[band] for band in GRAY_BANDS]
    assert sum(shares) == batchsize
    assert max(shares) - min(shares) <= 1


def test_galaxies_left_out_are_never_chosen():
    rows = choose({"RGB": sample([60] * 10)}, 40, without=np.array([1, 2, 3]))
    assert {row for _, row in rows} == set(range(3, 10))


def test_the_seed_decides():
    samples = {"RGB": sample(range(45, 91))}
    assert choose(samples, 5, seed=1) == choose(samples, 5, seed=1) != choose(samples, 5, seed=2)
