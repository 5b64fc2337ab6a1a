import tracemalloc

from inclinet.storage.store import FolderStore
from tasks.common import locate
from tasks.inputs import _digests

FILES = 4000


def test_reading_many_files_takes_little_memory(tmp_path, monkeypatch):
    """About 800 bytes for each file, most of it names and digests; a future for each took 1 KB more."""
    monkeypatch.setenv("INCLINET_STORE", str(tmp_path / "store"))
    (tmp_path / "galaxies").mkdir()
    (tmp_path / "image").write_bytes(b"image")
    for pgc in range(1, FILES + 1):
        (tmp_path / "galaxies" / f"pgc{pgc}_d25x2_rot_g.png").hardlink_to(tmp_path / "image")
    store = FolderStore(tmp_path)
    entries = list(store.list("galaxies"))
    tracemalloc.start()
    try:
        digests = _digests(store, "galaxies/g", entries)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(digests) == FILES
    assert peak / FILES < 1200


def test_a_whole_bucket_is_a_place_for_inputs(store):
    found, key = locate("s3://tests/", store)
    assert (found.uri, key) == ("s3://tests", "")
    found, key = locate("s3://tests/input/galaxies/", store)
    assert (found.uri, key) == ("s3://tests", "input/galaxies")
    assert locate("input/galaxies/", store) == (store, "input/galaxies")
    found, key = locate("/tmp/galaxies", store)
    assert (found.uri, key) == ("/tmp", "galaxies")
