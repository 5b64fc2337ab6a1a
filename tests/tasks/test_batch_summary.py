import io

import numpy as np
from PIL import Image

from inclinet.storage.store import FolderStore
from tasks.batch_summary import _pixels
from tests.conftest import disc


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_a_galaxy_is_shown_in_colour_if_it_can_be(tmp_path):
    store = FolderStore(tmp_path)
    store.write("pgc1_x_g.png", png(255 - disc(48, 60, channels=1)))
    images = "; ".join(f"{store.uri}/pgc1_x_{band}.png" for band in ("g", "gri"))
    assert _pixels(images, store).ndim == 2  # that in colour is missing
    store.write("pgc1_x_gri.png", png(disc(48, 60) // np.array([1, 2, 3], np.uint8)))
    assert _pixels(images, store).shape == (48, 48, 3)
    assert _pixels(f"{store.uri}/nothing.png", store) is None
