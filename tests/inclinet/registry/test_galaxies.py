import numpy as np
import pandas as pd
import pytest

from inclinet.data.galaxies import SIMULATED_PGC
from inclinet.data.samples import Samples
from inclinet.errors import InclinetError
from inclinet.registry.galaxies import GALAXIES_FILE, read_galaxies, write_galaxies
from inclinet.training.start import StartRecord

SHA = "0" * 64


def samples(*pgcs):
    n = len(pgcs)
    return Samples(np.zeros((n, 8, 8, 3), np.uint8), np.full(n, 60), np.array(pgcs, np.int32))


def test_a_version_knows_its_galaxies_and_those_of_its_starts(tmp_path):
    starts = [StartRecord(sha256=SHA, galaxies=(2, SIMULATED_PGC)), StartRecord(sha256=SHA, galaxies=(5,))]
    path = write_galaxies(tmp_path / GALAXIES_FILE, {"RGB": samples(3, 2), "g": samples(2)}, starts)
    table = pd.read_csv(path)
    assert table.to_dict("list") == {
        "pgc": [2, 3, 5, SIMULATED_PGC],
        "simulated": [0, 0, 0, 1],
        "images": [2, 1, 0, 0],
    }
    assert read_galaxies(path) == {2, 3, 5, SIMULATED_PGC}


def test_galaxies_that_a_start_may_have_seen_make_the_whole_unknown(tmp_path):
    starts = [StartRecord(sha256=SHA), StartRecord(sha256=SHA, galaxies=(5,))]
    assert write_galaxies(tmp_path / GALAXIES_FILE, {"RGB": samples(1)}, starts) is None
    assert read_galaxies(tmp_path / GALAXIES_FILE) is None


def test_no_galaxy_is_a_table_too(tmp_path):
    assert read_galaxies(write_galaxies(tmp_path / GALAXIES_FILE, {}, [])) == set()


@pytest.mark.parametrize("content", ["", "name\n1\n", "pgc\nx\n"])
def test_a_damaged_table_is_named(tmp_path, content):
    path = tmp_path / GALAXIES_FILE
    path.write_text(content)
    with pytest.raises(InclinetError, match=r"galaxies.csv: not a table of galaxies"):
        read_galaxies(path)
