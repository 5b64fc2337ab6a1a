"""The stand-in for the servers, and settings that ask it quickly."""

import pytest

from inclinet.cutouts.settings import Cutouts
from tests.inclinet.cutouts.stand_in import VARIABLES, Galaxy, running_stand_in

QUICK = Cutouts(pixels=128, rate=100, backoff=0.01, attempts=3, timeout=5)


@pytest.fixture
def sky(monkeypatch):
    """A stand-in that the environment names, with one galaxy."""
    with running_stand_in() as sky:
        for name, path in VARIABLES.items():
            monkeypatch.setenv(name, sky.url + path)
        sky.galaxies["NGC 2841"] = Galaxy(140.51, 50.98, 8.1, 147)
        yield sky
