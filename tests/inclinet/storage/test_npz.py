import zipfile

import numpy as np
import pytest

from inclinet.errors import InclinetError
from inclinet.storage.npz import Rows, read_arrays, write_arrays


def test_streamed_rows_are_mapped_back(tmp_path):
    whole = np.random.default_rng(0).integers(0, 255, (10, 4, 4, 3), dtype=np.uint8)
    path = write_arrays(
        tmp_path / "a.npz",
        {"images": Rows(whole.shape, np.uint8, [whole[:3], whole[3:]]), "labels": np.arange(10, dtype=np.int32)},
    )
    arrays = read_arrays(path, ["images", "labels"])
    assert isinstance(arrays["images"], np.memmap)
    assert np.array_equal(arrays["images"], whole)
    assert arrays["labels"].tolist() == list(range(10))


def test_too_few_rows_leave_no_file(tmp_path):
    with pytest.raises(ValueError, match="do not fill"):
        write_arrays(tmp_path / "a.npz", {"images": Rows((3, 2), np.uint8, [np.zeros((1, 2), np.uint8)])})
    assert not list(tmp_path.iterdir())


def test_empty_arrays_and_compressed_files_are_read(tmp_path):
    path = write_arrays(tmp_path / "a.npz", {"images": np.empty((0, 4, 4, 3), np.uint8)})
    assert read_arrays(path, ["images"])["images"].shape == (0, 4, 4, 3)
    np.savez_compressed(tmp_path / "b.npz", labels=np.arange(5))
    assert read_arrays(tmp_path / "b.npz", ["labels"])["labels"].tolist() == [0, 1, 2, 3, 4]


def test_bad_files_are_named(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(InclinetError, match="no such file"):
        read_arrays(path, ["images"])
    path.write_bytes(b"PK nothing")
    with pytest.raises(InclinetError, match="not a readable array file"):
        read_arrays(path, ["images"])
    write_arrays(path, {"images": np.zeros((50, 9), np.uint8)})
    with pytest.raises(InclinetError, match="holds no array labels, only images"):
        read_arrays(path, ["images", "labels"])
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InclinetError, match="not a readable array file"):
        read_arrays(path, ["images"])


def test_pickles_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.array([{"evil": 1}], dtype=object))
    with pytest.raises(InclinetError, match="pickled"):
        read_arrays(tmp_path / "a.npz", ["images"])


def test_a_header_that_lies_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive, archive.open("images.npy", "w") as member:
        np.lib.format.write_array_header_1_0(
            member, {"descr": "|u1", "fortran_order": False, "shape": (10**9, 64, 64, 3)}
        )
        member.write(b"\0" * 100)
    with pytest.raises(InclinetError, match="disagree"):
        read_arrays(path, ["images"])
