"""Array files (`.npz`), written in chunks of rows and read without loading more than is needed.

Arrays are stored uncompressed, so that `images` can be mapped into memory: a stage reads only the rows that it uses,
and its memory does not grow with the number of galaxies. Those that are read as a whole, such as stored batches, are
compressed (`inclinet.storage.deflate`). Compressed files of other programs are read too. Nothing is ever unpickled.
"""

import io
import struct
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate, chain
from pathlib import Path
from typing import BinaryIO

import numpy as np
from isal import isal_zlib
from numpy.typing import DTypeLike

from inclinet.errors import InclinetError
from inclinet.storage.atomic import atomic_file
from inclinet.storage.deflate import END, Piece, compress_rows, index_of, read_index, unpack
from inclinet.storage.parallel import in_threads

__all__ = ["Rows", "checksum", "read_arrays", "rows_per_chunk", "write_arrays"]

_MAX_RATIO = 200  # of unpacked to packed bytes, for arrays larger than the next
_ANY_RATIO = 64 * 2**20
_MAX_REASON = 200  # characters: NumPy's errors may repeat a whole header
_CHUNK = 2**20  # bytes that a thread makes and compresses at a time
_MOST_CHUNKS = 4096
_BLOCK = 2**20  # bytes that are checked at a time
_LOCAL_HEADER = struct.Struct("<4s22xHH")  # of a zip member: signature, …, lengths of its name and of its extra field


Chunk = np.ndarray | Callable[[], np.ndarray]


@dataclass(frozen=True)
class Rows:
    """An array given as a stream of chunks of rows, for `write_arrays`: arrays, or functions that make them.

    The functions are called in threads.
    """

    shape: tuple[int, ...]
    dtype: type
    chunks: Iterable[Chunk]


def rows_per_chunk(shape: tuple[int, ...], dtype: DTypeLike) -> int:
    """Return how many rows of an array threads should make or compress at a time."""
    n, row = shape[0], int(np.prod(shape[1:])) * np.dtype(dtype).itemsize
    return max(1, _CHUNK // max(row, 1), -(-n // _MOST_CHUNKS))


def write_arrays(
    path: Path,
    arrays: Mapping[str, np.ndarray | Rows],
    *,
    compressed: Collection[str] = (),
    workers: int | None = None,
) -> Path:
    """Write `arrays` to the npz file `path`; the same content in the same chunks gives the same bytes.

    Parameters
    ----------
    path : Path
    arrays : mapping of str to ndarray or Rows
    compressed : collection of str
        Arrays to compress.
    workers : int or None
        Threads that make and compress chunks; None takes one per core.

    Raises
    ------
    ValueError
        When the chunks of a `Rows` do not add up to its shape.
    """
    with atomic_file(path) as part, part.open("wb") as file, zipfile.ZipFile(file, "w", allowZip64=True) as archive:
        for name, array in arrays.items():
            # A new ZipInfo has a fixed date: the time of writing must not change the digest.
            info = zipfile.ZipInfo(f"{name}.npy")
            header = _header_of(array)
            if name in compressed:
                written = _write_compressed(file, archive, info, header, _pieces(array, workers))
            else:
                with archive.open(info, "w", force_zip64=True) as member:
                    member.write(header)
                    written = sum(member.write(_bytes(chunk)) for chunk in _made(array, workers))
            if written != int(np.prod(array.shape)) * np.dtype(array.dtype).itemsize:
                raise ValueError(f"{name}: {written} bytes do not fill the shape {array.shape}")
    return path


def _header_of(array: np.ndarray | Rows) -> bytes:
    """Return the start of an npy file."""
    header = io.BytesIO()
    descr = np.lib.format.dtype_to_descr(np.dtype(array.dtype))
    shape = tuple(map(int, array.shape))
    np.lib.format.write_array_header_1_0(header, {"descr": descr, "fortran_order": False, "shape": shape})
    return header.getvalue()


def _make(chunk: Chunk, dtype: np.dtype) -> np.ndarray:
    return np.ascontiguousarray(chunk() if callable(chunk) else chunk, dtype)


def _made(array: np.ndarray | Rows, workers: int | None) -> Iterator[np.ndarray]:
    """Yield the chunks of an array."""
    dtype = np.dtype(array.dtype)
    if isinstance(array, Rows):
        return in_threads(lambda chunk: _make(chunk, dtype), array.chunks, workers)
    return iter([_make(array, dtype)])


def _bytes(chunk: np.ndarray) -> memoryview:
    return chunk.data.cast("B") if chunk.size else memoryview(b"")


def _pieces(array: np.ndarray | Rows, workers: int | None) -> Iterator[Piece]:
    """Yield the chunks of an array, compressed."""
    dtype = np.dtype(array.dtype)

    def compress(chunk: Chunk) -> Piece:
        return compress_rows([_bytes(row) for row in _make(chunk, dtype)])

    return in_threads(compress, array.chunks if isinstance(array, Rows) else _cut(array), workers)


def _cut(array: np.ndarray) -> Iterator[np.ndarray]:
    rows = rows_per_chunk(array.shape, array.dtype)
    for start in range(0, len(array), rows):
        yield array[start : start + rows]


def _write_compressed(
    file: BinaryIO, archive: zipfile.ZipFile, info: zipfile.ZipInfo, header: bytes, pieces: Iterable[Piece]
) -> int:
    """Write a compressed array, from its header and its pieces; return the number of bytes after the header."""
    sizes, length, checksum = [], 0, 0
    with archive.open(info, "w", force_zip64=True) as member:
        for piece in chain([compress_rows([header])], pieces):
            sizes.append((member.write(piece.content), piece.length))
            length += piece.length
            checksum = isal_zlib.crc32_combine(checksum, piece.checksum, piece.length)
        member.write(END)
    # zipfile took the compressed bytes for the content: say what they are, in the directory and before them.
    info.compress_type, info.file_size, info.CRC = zipfile.ZIP_DEFLATED, length, checksum
    file.seek(info.header_offset)
    file.write(info.FileHeader(zip64=True))
    info.extra = index_of(sizes)
    return length - len(header)


def read_arrays(path: Path, names: Iterable[str] | None = None, *, check: bool = False) -> dict[str, np.ndarray]:
    """Return the named arrays (all if None) of an npz file, uncompressed ones as read-only memory maps.

    Parameters
    ----------
    path : Path
    names : iterable of str or None
    check : bool
        Check memory maps against their checksum (CRC-32), as compressed arrays always are. This also brings them into
        the system's page cache.

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
        return {name: _read_member(path, archive, infos[name], check) for name in names}


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


def _read_member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, check: bool) -> np.ndarray:
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
        pieces = _pieces_of(info, header)
        if pieces is not None and not fortran:
            return _unpack(path, info, header, pieces).view(dtype).reshape(shape)
        if info.compress_type != zipfile.ZIP_STORED or fortran or not np.prod(shape):
            with archive.open(info) as unread:
                return np.lib.format.read_array(unread, allow_pickle=False)
    offset = _data_offset(path, info)
    if check:
        _check(path, info, offset)
    return np.memmap(path, dtype, "r", offset + header, shape)


def _pieces_of(info: zipfile.ZipInfo, header: int) -> np.ndarray | None:
    """Return the numbers of bytes of the pieces of an array, compressed and not, (n, 2); None if it has no index."""
    pieces = read_index(info.extra) if info.compress_type == zipfile.ZIP_DEFLATED else None
    if pieces is None:
        return None
    packed, unpacked = pieces.sum(axis=0).tolist()
    fits = packed + len(END) == info.compress_size and unpacked == info.file_size and pieces[0, 1] == header
    return pieces if fits else None


def _unpack(path: Path, info: zipfile.ZipInfo, header: int, pieces: np.ndarray) -> np.ndarray:
    """Unpack an array in threads; returns its bytes, uint8 (n,)."""
    out = np.empty(info.file_size, np.uint8)
    packed, unpacked = pieces.T.tolist()
    starts = zip(accumulate(packed, initial=_data_offset(path, info)), packed, strict=False)
    targets = zip(accumulate(unpacked, initial=0), unpacked, strict=False)

    def unpack_one(place: tuple[tuple[int, int], tuple[int, int]]) -> int:
        (start, size), (target, length) = place
        with path.open("rb") as file:
            file.seek(start)
            return unpack(file.read(size), out[target : target + length].data)

    checksum = 0
    for one, length in zip(in_threads(unpack_one, zip(starts, targets, strict=True)), unpacked, strict=True):
        checksum = isal_zlib.crc32_combine(checksum, one, length)
    if checksum != info.CRC:
        raise ValueError(f"damaged: {info.filename} does not match its checksum")
    return out[header:]


def _check(path: Path, info: zipfile.ZipInfo, offset: int) -> None:
    """Check an uncompressed array against its checksum, reading a small part at a time."""
    checksum, left = 0, info.file_size
    with path.open("rb") as file:
        file.seek(offset)
        while left and (block := file.read(min(left, _BLOCK))):
            checksum, left = isal_zlib.crc32(block, checksum), left - len(block)
    if checksum != info.CRC:
        raise ValueError(f"damaged: {info.filename} does not match its checksum")


def _data_offset(path: Path, info: zipfile.ZipInfo) -> int:
    """Return where the bytes of a member start in the file."""
    with path.open("rb") as file:
        file.seek(info.header_offset)
        _, name_length, extra_length = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    offset = info.header_offset + _LOCAL_HEADER.size + name_length + extra_length
    if offset + info.compress_size > path.stat().st_size:
        raise ValueError("it is cut short")
    return offset
