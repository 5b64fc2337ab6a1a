import io
import tracemalloc
import zipfile

import numpy as np
import pytest

from inclinet.errors import InclinetError
from inclinet.storage.npz import Rows, checksum, read_arrays, rows_per_chunk, write_arrays
from tests.conftest import disc


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


def test_a_header_that_does_not_fit_its_data_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive, archive.open("images.npy", "w") as member:
        np.lib.format.write_array_header_1_0(
            member, {"descr": "|u1", "fortran_order": False, "shape": (10**9, 64, 64, 3)}
        )
        member.write(b"\0" * 100)
    with pytest.raises(InclinetError, match="disagree"):
        read_arrays(path, ["images"])


def npy(header):
    """Return the start of an npy file with this text as its header."""
    text = header.encode().ljust(63) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '|u1', 'fortran_order': False, 'shape': (50, 9), ",  # tokenize.TokenError
        "{'descr': (), 'fortran_order': False, 'shape': (50, 9)}",  # IndexError
        "{[]: '|u1', 'fortran_order': False, 'shape': (50, 9)}",  # TypeError
        "-" * 9000 + "1",  # MemoryError or RecursionError
        "(" * 9000,
        "{'descr': '|u1', 'fortran_order': False, 'shape': (0, " + "9" * 4000 + ")}",  # OverflowError
        "{'descr': '|u1', 'fortran_order': False, 'shape': (0, " + "9" * 5000 + ")}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (-1, -3)}",
        "",
        "\0",
    ],
    ids=lambda header: header[:70],
)
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_header_gives_one_clear_error(tmp_path, header, compression):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("images.npy", npy(header))
    with pytest.raises(InclinetError, match=r"a\.npz: not a readable array file \(.+\); make the file again") as error:
        read_arrays(path)
    assert len(str(error.value)) < len(str(path)) + 300


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damaged_compressed_data_gives_one_clear_error(tmp_path, compression):
    path = tmp_path / "a.npz"
    content = io.BytesIO()
    np.save(content, np.arange(1000))
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("images.npy", content.getvalue())
    whole, refused = path.read_bytes(), 0
    for place in range(44, 84):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            read_arrays(path)
        except InclinetError as error:
            refused += 1
            assert str(path) in str(error)
    assert refused > 20


def galaxies(n, size=32):
    """Return images that compress about as well as those of stored batches."""
    noise = np.random.default_rng(0).normal(0, 2, (n, size, size, 3))
    return (disc(size, 60) + noise).clip(0, 255).astype(np.uint8)


def test_compressed_arrays_are_read_back_by_this_code_and_by_numpy(tmp_path):
    images, labels = galaxies(1000), np.arange(1000)
    path = write_arrays(tmp_path / "a.npz", {"images": images, "labels": labels}, compressed={"images"})
    assert path.stat().st_size < 0.7 * images.nbytes
    arrays = read_arrays(path)
    assert np.array_equal(arrays["images"], images) and np.array_equal(arrays["labels"], labels)
    with np.load(path, allow_pickle=False) as loaded:
        assert loaded.files == ["images", "labels"]
        assert np.array_equal(loaded["images"], images)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
    raw = write_arrays(tmp_path / "raw.npz", {"images": images, "labels": labels})
    assert checksum(raw) == checksum(path)


def test_the_bytes_do_not_depend_on_the_number_of_threads(tmp_path):
    images = galaxies(1000)
    rows = rows_per_chunk(images.shape, images.dtype)
    chunks = [lambda start=start: images[start : start + rows] for start in range(0, 1000, rows)]
    assert len(chunks) > 2
    given = [(images, 1), (images, 3), (Rows(images.shape, np.uint8, chunks), 3)]
    contents = {
        write_arrays(tmp_path / "a.npz", {"images": array}, compressed={"images"}, workers=workers).read_bytes()
        for array, workers in given
    }
    assert len(contents) == 1


@pytest.mark.parametrize("shape", [(0, 4, 4, 3), (3, 0), (1, 2**21), (7,), ()])
def test_compressed_arrays_of_any_shape(tmp_path, shape):
    array = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
    if not shape:
        array = array[None]
    path = write_arrays(tmp_path / "a.npz", {"images": array}, compressed={"images"})
    again = read_arrays(path)["images"]
    assert again.shape == array.shape and again.dtype == array.dtype and np.array_equal(again, array)


def test_a_compressed_file_without_its_index_is_read(tmp_path):
    """As other programs leave it that write the archive anew."""
    images = galaxies(100)
    path = write_arrays(tmp_path / "a.npz", {"images": images}, compressed={"images"})
    again = tmp_path / "b.npz"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(again, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            assert info.extra
            new.writestr(info.filename, old.read(info))
    assert np.array_equal(read_arrays(again)["images"], images)


@pytest.mark.parametrize("compressed", [(), {"images"}])
def test_one_changed_byte_is_found(tmp_path, compressed):
    images = galaxies(50)
    path = write_arrays(tmp_path / "a.npz", {"images": images}, compressed=compressed)
    whole = path.read_bytes()
    found = 0
    for place in np.linspace(70, len(whole) - 500, 40).astype(int):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            assert np.array_equal(read_arrays(path, check=True)["images"], images)  # a bit that only fills up a byte
        except InclinetError as error:
            assert "a.npz: not a readable array file" in str(error)
            found += 1
    assert found > 35


def test_writing_and_compressing_take_no_memory_for_all_rows(tmp_path):
    part = galaxies(100)
    rows = Rows((10_000, *part.shape[1:]), np.uint8, [lambda: part.copy() for _ in range(100)])
    tracemalloc.start()
    write_arrays(tmp_path / "a.npz", {"images": rows}, compressed={"images"}, workers=2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12 * part.nbytes
