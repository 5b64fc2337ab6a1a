import numpy as np
import pandas as pd
import pytest

from inclinet.data.catalog import SIMULATED_PGC
from inclinet.data.samples import Samples
from inclinet.errors import InclinetError
from inclinet.registry.galaxies import GALAXIES_FILE, read_galaxies, read_starts, write_galaxies
from inclinet.storage.atomic import write_text
from inclinet.training.filenames import start_file
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


def test_starts_lie_beside_their_networks(tmp_path):
    record = StartRecord(version="20260101-0123456789", sha256=SHA, galaxies=(1,))
    write_text(tmp_path / start_file(1, "model4"), record.model_dump_json())
    networks = [tmp_path / f"Uset_00{k}_model4.keras" for k in (0, 1)]
    assert read_starts(networks) == {"model4_1": record}
