import numpy as np
import pytest

from inclinet.data.sky import is_negative, positive, sky
from tests.conftest import disc


@pytest.mark.parametrize("level", [0, 40, 120])
def test_inverted_images_become_positive(level):
    image = np.maximum(disc(32, 60), level)
    images = np.stack([image, 255 - image])
    assert sky(images).tolist() == [[level] * 3, [255 - level] * 3]
    assert is_negative(sky(images)).tolist() == [False, True]
    assert np.array_equal(positive(images), np.stack([image, image]))
