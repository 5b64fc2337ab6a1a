"""Stage compress: one band's folder of downsampled images into one array file."""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from inclinet.data.filenames import SmallName, packed_file, parse_small
from inclinet.data.images import BadImageError, read_small
from inclinet.data.inclination import numeric_label
from inclinet.errors import InclinetError
from inclinet.progress import Track, silent
from inclinet.storage.npz import Rows, rows_per_chunk, write_arrays

__all__ = ["compress", "pack"]


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
        When the folder is missing or holds no downsampled images, images of several bands or of another size, an
        unreadable image, or two images of one galaxy.
    """
    if not infolder.is_dir():
        raise InclinetError(f"{infolder}: no such folder; run `inclinet prep` first", setting="infolder")
    files = [(path, name) for path in sorted(infolder.iterdir()) if (name := parse_small(path.name))]
    names = [name for _, name in files]
    sizes, bands = {name.size for name in names}, {name.band for name in names}
    if not names:
        raise InclinetError(f"{infolder}: holds no downsampled images of size {size}", setting="infolder")
    if sizes != {size}:
        found = ", ".join(map(str, sorted(sizes)))
        raise InclinetError(f"{infolder}: holds images of size {found}, not of size {size}", setting="size")
    if len(bands) > 1:
        raise InclinetError(
            f"{infolder}: mixes the bands {', '.join(sorted(bands))}; give the folder of one band", setting="infolder"
        )
    repeated = [pgc for pgc, count in Counter(name.pgc for name in names).items() if count > 1]
    if repeated:
        raise InclinetError(
            f"{infolder}: has two images of PGC {min(repeated)} with different labels; run `inclinet prep` again"
        )
    return pack(files, outfolder / packed_file(size, bands.pop()), workers=workers, track=track)


def pack(files: list[tuple[Path, SmallName]], out: Path, *, workers: int | None = None, track: Track = silent) -> Path:
    """Write the images of one band, in order of PGC number, as one array file.

    It holds `images` uint8 (N, size, size, 3), grayscale repeated in the three channels, and `labels`
    int32 (2, N): PGC numbers, numeric labels. Rows are streamed: memory does not grow with N.

    Raises
    ------
    InclinetError
        When an image cannot be read or does not have the size that its name says.
    """
    files = sorted(files, key=lambda item: item[1].pgc)
    size, band = files[0][1].size, files[0][1].band
    labels = np.array([[name.pgc, numeric_label(name.label)] for _, name in files], np.int32).T
    shape = len(files), size, size, 3

    def chunks() -> Iterator[Callable[[], np.ndarray]]:
        step = rows_per_chunk(shape, np.uint8)
        parts = [files[start : start + step] for start in range(0, len(files), step)]
        for part in track(parts, f"compress {band}", len(parts)):
            yield partial(_read_images, part)

    images = Rows(shape, np.uint8, chunks())
    return write_arrays(out, {"images": images, "labels": labels}, workers=workers)


def _read_images(files: list[tuple[Path, SmallName]]) -> np.ndarray:
    """Return images, uint8 (N, size, size, 3)."""
    return np.stack([_read_image(path, name) for path, name in files])


def _read_image(path: Path, name: SmallName) -> np.ndarray:
    """Return one image, uint8 (size, size, 3)."""
    try:
        image = read_small(path)
    except BadImageError as error:
        raise InclinetError(f"{path}: {error}; run `inclinet prep` again") from error
    if image.shape[:2] != (name.size, name.size):
        raise InclinetError(f"{path}: has {image.shape[1]}×{image.shape[0]} pixels; run `inclinet prep` again")
    return image
