import tracemalloc

import numpy as np

from inclinet.evaluation.novelty import describe


def test_images_are_described_one_by_one():
    images = np.random.default_rng(0).integers(0, 256, (70, 16, 16, 3), dtype=np.uint8)
    together = describe(images)
    assert together.shape == (70, 9)
    np.testing.assert_array_equal(together, np.concatenate([describe(image[None]) for image in images]))


def test_no_images_have_no_descriptions():
    assert describe(np.empty((0, 16, 16, 3), np.uint8)).shape == (0, 9)


def test_memory_does_not_grow_with_the_number_of_images():
    images = np.zeros((400, 32, 32, 3), np.uint8)

    def peak(number):
        tracemalloc.start()
        try:
            describe(images[:number])
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    assert peak(400) < 1.5 * peak(100)
