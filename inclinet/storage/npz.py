"""Array files (`.npz`), written in chunks of rows and read without loading more than is needed.

Arrays are stored uncompressed, so that `images` can be mapped into memory: a stage reads only the rows that it uses,
and its memory does not grow with the number of galaxies. Compressed files of other programs are read too. Nothing is
ever unpickled.
"""

import struct
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inclinet.errors import InclinetError
from inclinet.storage.atomic import atomic_file

__all__ = ["Rows", "check_arrays", "checksum", "read_arrays", "write_arrays"]

_MAX_RATIO = 200  # of unpacked to packed bytes, for arrays larger than the next
_ANY_RATIO = 64 * 2**20
_MAX_REASON = 200  # characters: NumPy's errors may repeat a whole header
_LOCAL_HEADER = struct.Struct("<4s22xHH")  # of a zip member: signature, …, lengths of its name and of its extra field


@dataclass(frozen=True)
class Rows:
    """An array given as a stream of chunks of rows, for `write_arrays`."""

    shape: tuple[int, ...]
    dtype: type
    chunks: Iterable[np.ndarray]


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray | Rows]) -> Path:
    """Write `arrays` to the npz file `path`; the same content gives the same bytes.

    Raises
    ------
    ValueError
        When the chunks of a `Rows` do not add up to its shape.
    """
    with atomic_file(path) as part, zipfile.ZipFile(part, "w", allowZip64=True) as archive:
        for name, array in arrays.items():
            # A new ZipInfo has a fixed date: the time of writing must not change the digest.
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                dtype = np.dtype(array.dtype)
                header = {
                    "descr": np.lib.format.dtype_to_descr(dtype),
                    "fortran_order": False,
                    "shape": tuple(map(int, array.shape)),
                }
                np.lib.format.write_array_header_1_0(member, header)
                written = sum(member.write(block) for block in _blocks(array))
                if written != int(np.prod(array.shape)) * dtype.itemsize:
                    raise ValueError(f"{name}: {written} bytes do not fill the shape {array.shape}")
    return path


def _blocks(array: np.ndarray | Rows) -> Iterator[memoryview]:
    dtype = np.dtype(array.dtype)
    chunks = array.chunks if isinstance(array, Rows) else [array]
    for chunk in chunks:
        yield np.ascontiguousarray(chunk, dtype).data.cast("B") if chunk.size else memoryview(b"")


def read_arrays(path: Path, names: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """Return the named arrays (all if None) of an npz file, uncompressed ones as read-only memory maps.

    Raises
    ------
    InclinetError
        When the file is missing, damaged, pickled, or lacks one of the arrays.
    """
    with _open_archive(path) as archive:
        infos = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        names = list(infos) if names is None else list(names)
        missing = [name for name in names if name not in infos]
        if missing:
            raise InclinetError(
                f"{path}: holds no array {missing[0]}, only {', '.join(list(infos)[:8]) or 'nothing'}; "
                "give the file that the stage before this one wrote"
            )
        return {name: _read_member(path, archive, infos[name]) for name in names}


def check_arrays(path: Path) -> None:
    """Check every array of an npz file against its checksum (CRC-32), reading a small part at a time.

    Memory maps are not checked when they are read. Checking a file first also brings it into the system's page cache.

    Raises
    ------
    InclinetError
        When the file is missing or damaged.
    """
    with _open_archive(path) as archive:
        damaged = archive.testzip()
    if damaged:
        raise InclinetError(f"{path}: damaged, {damaged} does not match its checksum; make the file again")


def checksum(path: Path) -> str:
    """Return the checksums (CRC-32) of the arrays in an npz file as the file states them, without reading the arrays.

    Raises
    ------
    InclinetError
        When the file is missing or damaged.
    """
    with _open_archive(path) as archive:
        return " ".join(f"{info.CRC:08x}" for info in archive.infolist())


@contextmanager
def _open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an npz file; whatever fails in the block becomes an `InclinetError` that names the file."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except InclinetError:
        raise
    except FileNotFoundError:
        raise InclinetError(f"{path}: no such file; run the stage before this one first") from None
    except Exception as error:
        # On damaged files, zipfile, its decompressors, and NumPy, which parses an array's header as Python code, raise
        # nearly anything: tokenize.TokenError, LZMAError, MemoryError, IndexError, …
        reason = " ".join(str(error).split())[:_MAX_REASON] or type(error).__name__
        raise InclinetError(f"{path}: not a readable array file ({reason}); make the file again") from error


def _read_member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran, dtype = read_header(member)
        if dtype.hasobject:
            raise ValueError("it holds pickled objects")
        header = member.tell()
        if int(np.prod(shape, dtype=object)) * dtype.itemsize + header != info.file_size:
            raise ValueError("an array and its header disagree")
        if info.file_size > _MAX_RATIO * info.compress_size + _ANY_RATIO:
            raise ValueError(f"{info.filename} unpacks to {info.file_size / 2**20:,.0f} MiB, far too much for its size")
        if info.compress_type != zipfile.ZIP_STORED or fortran or not np.prod(shape):
            with archive.open(info) as unread:
                return np.lib.format.read_array(unread, allow_pickle=False)
    return np.memmap(path, dtype, "r", _data_offset(path, info) + header, shape)


def _data_offset(path: Path, info: zipfile.ZipInfo) -> int:
    """Return where the bytes of an uncompressed member start in the file."""
    with path.open("rb") as file:
        file.seek(info.header_offset)
        _, name_length, extra_length = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    offset = info.header_offset + _LOCAL_HEADER.size + name_length + extra_length
    if offset + info.file_size > path.stat().st_size:
        raise ValueError("it is cut short")
    return offset
