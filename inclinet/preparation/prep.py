"""Stage prep: downsample the images of one band."""

import csv
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from pathlib import Path

from inclinet.data.bands import BANDS
from inclinet.data.catalog import read_catalog
from inclinet.data.filenames import band_folder, skipped_file, small_image
from inclinet.data.images import BadImageError, choose_images, save_jpeg, to_small
from inclinet.errors import InclinetError
from inclinet.progress import Track, silent
from inclinet.storage.atomic import atomic_file, atomic_folder

__all__ = ["Prepared", "downsample", "prep", "write_skipped"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """What the prep stage did in one band."""

    folder: Path
    images: int
    skipped: dict[int | str, str]
    """Reason for every galaxy without a downsampled image."""


def check_band(band: str) -> None:
    """Raise `InclinetError` when there is no such band."""
    if band not in BANDS:
        raise InclinetError(f"--band: there is no band {band!r}; choose one of {', '.join(BANDS)}")


def downsample(
    chosen: Mapping[int, str],
    labels: Mapping[int, str],
    locate: Callable[[str], Path],
    outfolder: Path,
    band: str,
    size: int,
    *,
    workers: int | None = None,
    track: Track = silent,
) -> dict[int | str, str]:
    """Write one downsampled image per galaxy into `outfolder`; return the reasons of those skipped.

    Parameters
    ----------
    chosen : mapping of int to str
        File name by PGC number.
    labels : mapping of int to str
        Label by PGC number.
    locate : callable
        Gives the local path of a file name.
    """

    def one(item: tuple[int, str]) -> str | None:
        pgc, name = item
        try:
            image = to_small(locate(name), size, band == "gri")
        except BadImageError as error:
            return f"{name}: {error}"
        save_jpeg(image, outfolder / small_image(pgc, size, labels[pgc], band))
        return None

    todo = [(pgc, name) for pgc, name in chosen.items() if pgc in labels]
    # Threads are enough: Pillow gives up the interpreter lock while it decodes, resamples and encodes.
    with ThreadPoolExecutor(workers or cpu_count() or 1) as pool:
        reasons = list(track(pool.map(one, todo), f"prep {band}", len(todo)))
    skipped = {pgc: reason for (pgc, _), reason in zip(todo, reasons, strict=True) if reason}
    skipped |= {pgc: f"{name}: not in the catalogue" for pgc, name in chosen.items() if pgc not in labels}
    return skipped


def write_skipped(path: Path, skipped: Mapping[int | str, str]) -> Path:
    """Write the table of skipped galaxies, columns `pgc` and `reason`."""
    with atomic_file(path) as part, part.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["pgc", "reason"])
        writer.writerows(sorted(skipped.items(), key=lambda item: str(item[0])))
    return path


def prep(
    impath: Path,
    catalog: Path,
    band: str,
    *,
    imroot: str = "d25x2_rot",
    size: int = 128,
    outfolder: Path = Path(),
    workers: int | None = None,
    track: Track = silent,
) -> Prepared:
    """Downsample the images of one band into the folder `<size>x<size>_<band>` within `outfolder`.

    A galaxy is skipped, with a reason, when its image is missing or unreadable or its label unknown; the
    table `<size>x<size>_<band>_skipped.csv` lists them.

    Returns
    -------
    Prepared

    Raises
    ------
    InclinetError
        When the band is unknown, folder or catalogue unreadable, or not one image is left.
    """
    check_band(band)
    if not impath.is_dir():
        raise InclinetError(f"{impath}: no such folder of images (option --impath)")
    table = read_catalog(catalog)
    labels = table.labels
    chosen = choose_images((path.name for path in impath.iterdir()), imroot, band)
    folder = outfolder / band_folder(size, band)
    skipped: dict[int | str, str] = dict(table.skipped)
    skipped |= {pgc: f"no image in band {band}" for pgc in labels if pgc not in chosen}
    with atomic_folder(folder) as part:
        skipped |= {
            pgc: table.skipped.get(pgc, reason)
            for pgc, reason in downsample(
                chosen, labels, impath.joinpath, part, band, size, workers=workers, track=track
            ).items()
        }
        images = sum(1 for _ in part.iterdir())
        write_skipped(outfolder / skipped_file(size, band), skipped)
        for pgc, reason in skipped.items():
            logger.debug("skipped PGC %s: %s", pgc, reason)
        if not images:
            raise InclinetError(
                f"{impath}: no image in band {band} is left to work on; {len(skipped)} galaxies skipped, see "
                f"{outfolder / skipped_file(size, band)}; check --impath, --imroot {imroot!r} and --catalog"
            )
    return Prepared(folder, images, skipped)
