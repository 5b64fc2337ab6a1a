"""Stage compress: one band's folder of downsampled images into one array file."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from pathlib import Path

import numpy as np

from inclinet.data.catalog import numeric_label
from inclinet.data.filenames import SmallName, packed_file, parse_small
from inclinet.data.images import BadImageError, open_image
from inclinet.errors import InclinetError
from inclinet.progress import Track, silent
from inclinet.storage.npz import Rows, write_arrays

__all__ = ["compress", "pack"]


def _read(item: tuple[Path, SmallName]) -> np.ndarray:
    path, name = item
    try:
        image = open_image(path, colour=True)
    except BadImageError as error:
        raise InclinetError(f"{path}: {error}; run the prep stage again") from error
    if image.size != (name.size, name.size):
        raise InclinetError(f"{path}: is {image.width}×{image.height} pixels; run the prep stage again")
    return np.asarray(image)[None]


def pack(files: list[tuple[Path, SmallName]], out: Path, *, workers: int | None = None, track: Track = silent) -> Path:
    """Write the images of one band, in order of PGC number, as one array file.

    Writes `images` uint8 (N, size, size, 3), grayscale repeated in the three channels, and `labels`
    int32 (2, N): PGC numbers, numeric labels. Rows are streamed: memory does not grow with N.
    """
    files = sorted(files, key=lambda item: item[1].pgc)
    size, band = files[0][1].size, files[0][1].band
    labels = np.array([[name.pgc, numeric_label(name.label)] for _, name in files], np.int32).T
    workers = workers or cpu_count() or 1

    def rows() -> Iterator[np.ndarray]:
        with ThreadPoolExecutor(workers) as pool:
            for start in range(0, len(files), 64 * workers):
                yield from pool.map(_read, files[start : start + 64 * workers])

    images = Rows((len(files), size, size, 3), np.uint8, track(rows(), f"compress {band}", len(files)))
    return write_arrays(out, {"images": images, "labels": labels})


def compress(
    infolder: Path,
    outfolder: Path,
    *,
    size: int = 128,
    workers: int | None = None,
    track: Track = silent,
) -> Path:
    """Pack one band's folder, as written by `prep`, into `<size>x<size>_<band>.npz` in `outfolder`.

    Raises
    ------
    InclinetError
        When the folder holds no such images, of several bands, of another size, or two of one galaxy.
    """
    if not infolder.is_dir():
        raise InclinetError(f"{infolder}: no such folder (option --infolder); run `inclinet prep` first")
    files = [(path, name) for path in sorted(infolder.iterdir()) if (name := parse_small(path.name))]
    sizes, bands = {name.size for _, name in files}, {name.band for _, name in files}
    if sizes != {size}:
        found = f"images of size {', '.join(map(str, sorted(sizes)))}" if sizes else "no downsampled images"
        raise InclinetError(f"{infolder}: holds {found}, not of size {size} (option --size)")
    if len(bands) > 1:
        raise InclinetError(f"{infolder}: mixes the bands {', '.join(sorted(bands))}; give one band's folder")
    pgcs = [name.pgc for _, name in files]
    twice = sorted({pgc for pgc in pgcs if pgcs.count(pgc) > 1}) if len(set(pgcs)) < len(pgcs) else []
    if twice:
        raise InclinetError(f"{infolder}: has two images of PGC {twice[0]} with different labels; run prep anew")
    return pack(files, outfolder / packed_file(size, bands.pop()), workers=workers, track=track)
