"""Array files (`.npz`), written row by row and read without loading what is not asked for.

Arrays are stored uncompressed, so that `images` can be mapped into memory: a stage touches the rows it
needs, and its memory does not grow with the number of galaxies. Compressed files of other pipelines
are read too. Nothing is ever unpickled.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inclinet.errors import InclinetError
from inclinet.storage.atomic import atomic_file

__all__ = ["Rows", "check_arrays", "checksum", "read_arrays", "write_arrays"]

_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    ValueError,
    KeyError,
    EOFError,
    OSError,
    RuntimeError,
)  # what zipfile and NumPy raise on damaged files
_MAX_RATIO, _HARMLESS = 200, 64 * 2**20  # of unpacked to packed bytes; bytes below which any ratio will do
_LOCAL_HEADER = struct.Struct("<4s22xHH")  # of a zip member: signature, …, lengths of its name and extra field


@dataclass(frozen=True)
class Rows:
    """An array given as a stream of chunks of rows, for `write_arrays`."""

    shape: tuple[int, ...]
    dtype: type
    chunks: Iterable[np.ndarray]


def _bytes(array: np.ndarray | Rows) -> Iterator[memoryview]:
    dtype = np.dtype(array.dtype)
    chunks = array.chunks if isinstance(array, Rows) else [array]
    for chunk in chunks:
        yield memoryview(np.ascontiguousarray(chunk, dtype)).cast("B") if chunk.size else memoryview(b"")


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray | Rows]) -> Path:
    """Write `arrays` to the npz file `path`; the same content gives the same bytes.

    Raises
    ------
    ValueError
        When the chunks of a `Rows` do not add up to its shape.
    """
    with atomic_file(path) as part, zipfile.ZipFile(part, "w", allowZip64=True) as archive:
        for name, array in arrays.items():
            # A ZipInfo of its own date: the time of writing must not change the digest.
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                dtype = np.dtype(array.dtype)
                header = {
                    "descr": np.lib.format.dtype_to_descr(dtype),
                    "fortran_order": False,
                    "shape": tuple(map(int, array.shape)),
                }
                np.lib.format.write_array_header_1_0(member, header)
                written = sum(member.write(block) for block in _bytes(array))
                if written != int(np.prod(array.shape)) * dtype.itemsize:
                    raise ValueError(f"{name}: {written} bytes do not fill the shape {array.shape}")
    return path


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
        if info.file_size > _MAX_RATIO * info.compress_size + _HARMLESS:
            raise ValueError(f"{info.filename} unpacks to {info.file_size / 2**20:,.0f} MiB, so little it holds")
        if info.compress_type != zipfile.ZIP_STORED or fortran or not np.prod(shape):
            with archive.open(info) as again:
                return np.lib.format.read_array(again, allow_pickle=False)
    with path.open("rb") as file:
        file.seek(info.header_offset)
        _, name, extra = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    offset = info.header_offset + _LOCAL_HEADER.size + name + extra + header
    if offset + info.file_size - header > path.stat().st_size:
        raise ValueError("it is cut short")
    return np.memmap(path, dtype, "r", offset, shape)


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an npz file; what goes wrong with it in the block is an `InclinetError` that names it."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except FileNotFoundError:
        raise InclinetError(f"{path}: no such file; run the stage before this one first") from None
    except _UNREADABLE as error:
        raise InclinetError(f"{path}: not a readable array file ({error}); write it anew") from error


def read_arrays(path: Path, names: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """Return the named arrays (all if None) of an npz file, uncompressed ones as read-only memory maps.

    Raises
    ------
    InclinetError
        When the file is missing, damaged, pickled, or lacks one of the arrays.
    """
    with _opened(path) as archive:
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
    """Check every array of an npz file against its checksum (CRC-32), a small part at a time.

    Memory maps do not check what they read; a file just checked is also in the system's cache.

    Raises
    ------
    InclinetError
        When the file is missing or damaged.
    """
    with _opened(path) as archive:
        damaged = archive.testzip()
    if damaged:
        raise InclinetError(f"{path}: damaged, {damaged} does not have its checksum; write it anew")


def checksum(path: Path) -> str:
    """Return the checksums (CRC-32) of the arrays in an npz file as it states them, without reading the arrays.

    Raises
    ------
    InclinetError
        When the file is missing or damaged.
    """
    with _opened(path) as archive:
        return " ".join(f"{info.CRC:08x}" for info in archive.infolist())
