import numpy as np
import pytest

from inclinet.data.galaxies import SIMULATED_PGC
from inclinet.data.origin import Galaxies, count_galaxies


def test_galaxies_are_counted_once():
    pgcs = np.array([1, 1, 2, SIMULATED_PGC - 1, SIMULATED_PGC, SIMULATED_PGC])
    assert count_galaxies(pgcs) == Galaxies(real=3, simulated=1)
    assert count_galaxies([]) == Galaxies(real=0, simulated=0)


@pytest.mark.parametrize(
    ("real", "simulated", "words"),
    [
        (449, 5400, "449 real and 5,400 simulated galaxies"),
        (449, 0, "449 real galaxies"),
        (0, 1, "1 simulated galaxy"),
        (0, 0, "no galaxies"),
    ],
)
def test_they_are_told_in_words(real, simulated, words):
    assert str(Galaxies(real=real, simulated=simulated)) == words


def test_only_galaxies_that_are_there_can_all_be_simulated():
    flags = [Galaxies(real=real, simulated=n).all_simulated for real, n in ((0, 5), (1, 5), (0, 0))]
    assert flags == [True, False, False]
