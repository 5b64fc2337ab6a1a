"""Fixtures of the tests of the library."""

import pytest

from inclinet.preparation.augment import augment
from inclinet.preparation.compress import compress
from inclinet.preparation.prep import prep
from inclinet.preparation.split import split
from inclinet.settings import Augment, Split

SIZE = 24


@pytest.fixture(scope="session")
def stored(tmp_path_factory, small_sample):
    """Samples and two stored batches of the plain discs."""
    folder = tmp_path_factory.mktemp("stored")
    for band in ("g", "gri"):
        done = prep(small_sample / "galaxies", small_sample / "catalog.csv", band, size=SIZE, outfolder=folder)
        compress(done.folder, folder, size=SIZE)
    split(folder, folder / "samples", size=SIZE, settings=Split(niter=0))
    augment(folder / "samples", folder, size=SIZE, niter=0, settings=Augment(nbatch=2, batchsize=4))
    return folder
