"""Stage prep: downsample the images of each band."""

import csv
import io
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd

from inclinet.data.bands import is_band, is_colour
from inclinet.data.catalog import Catalog, read_catalog
from inclinet.data.filenames import band_folder, parse_cutout, parse_image, shapes_file, skipped_file, small_image
from inclinet.data.images import BadImageError, choose_images
from inclinet.errors import InclinetError
from inclinet.geometry.framing import small_jpeg
from inclinet.geometry.shape import Shape
from inclinet.progress import Track, silent
from inclinet.settings import Framing
from inclinet.storage.addresses import split_address
from inclinet.storage.atomic import atomic_file, atomic_folder
from inclinet.storage.parallel import MANY, in_processes, in_threads

__all__ = ["Prepared", "check_bands", "downsample", "prep", "prep_bands", "write_shapes", "write_skipped"]

logger = logging.getLogger(__name__)

_NAMED = 3  # files that a warning names


@dataclass(frozen=True)
class Prepared:
    """Result of the prep stage in one band."""

    folder: Path
    images: int
    """Number of downsampled images."""
    skipped: dict[int | str, str]
    """Reason by PGC number, or by line of the catalogue, for everything without a downsampled image."""


def prep(impath: Path, catalog: Path, band: str, **how: Any) -> Prepared:
    """Downsample the images of one band; the further arguments and the errors are those of `prep_bands`."""
    [prepared] = prep_bands(impath, catalog, [band], **how)
    return prepared


def prep_bands(
    impath: Path,
    catalog: Path,
    bands: Iterable[str],
    *,
    imroot: str = "d25x2_rot",
    size: int = 128,
    framing: Framing = "given",
    columns: Mapping[str, str] | None = None,
    outfolder: Path = Path(),
    workers: int | None = None,
    track: Track = silent,
) -> list[Prepared]:
    """Downsample the images of each band into the folder `<size>x<size>_<band>` within `outfolder`.

    A galaxy is skipped, with a reason, when its image is missing, unreadable or blank, or its label unknown. The
    table `<size>x<size>_<band>_skipped.csv` lists the skipped galaxies, and `<size>x<size>_<band>_shapes.csv` the
    shapes of the others if they are measured.

    Parameters
    ----------
    impath : Path
        Folder of the images.
    catalog : Path
    bands : iterable of str
        Their names in the names of the images, such as `g`, `W1` or, in colour, `gri` and `grz`.
    imroot : str
        Part of the image names between the PGC number and the band.
    size : int
        Pixels a side of the downsampled images.
    framing : {'measured', 'given'}
        Frame each galaxy as measured, or keep the frames of the images.
    columns : mapping of str to str, optional
        Columns of the catalogue, as for `inclinet.data.catalog.read_catalog`. That of `image` names the images, paths
        within the folder or s3:// addresses; `{band}` in its name stands for the band.
    outfolder : Path
    workers : int, optional
        Images at a time; None takes one per core.
    track : Track
        Shows the progress over the images.

    Returns
    -------
    list of Prepared
        In the order of the bands.

    Raises
    ------
    InclinetError
        When a band is unknown or named twice, the folder or the catalogue unreadable, or no image is left.
    """
    bands = tuple(bands)
    check_bands(bands)
    if not impath.is_dir():
        raise InclinetError(f"{impath}: no such folder of images", setting="impath")
    columns = dict(columns or {})

    @cache
    def read(columns: tuple[tuple[str, str], ...]) -> Catalog:
        return read_catalog(catalog, columns=dict(columns))

    names = [] if "image" in columns else _list_names(impath, imroot, catalog)
    prepared = []
    for band in bands:
        table = read(tuple((meaning, column.replace("{band}", band)) for meaning, column in columns.items()))
        chosen = table.images if "image" in columns else choose_images(names, imroot, band)
        prepared.append(
            _prep_band(impath, table, chosen, band, size, imroot, framing, outfolder, workers=workers, track=track)
        )
    return prepared


def _prep_band(
    impath: Path,
    table: Catalog,
    chosen: Mapping[int, str],
    band: str,
    size: int,
    imroot: str,
    framing: Framing,
    outfolder: Path,
    *,
    workers: int | None,
    track: Track,
) -> Prepared:
    """Downsample the images of one band; `chosen` are their names by PGC number."""
    folder, skipped_table = outfolder / band_folder(size, band), outfolder / skipped_file(size, band)
    with atomic_folder(folder) as part:
        unusable, shapes = downsample(
            chosen, table.labels, partial(_locate, impath), part, band, size, framing, workers=workers, track=track
        )
        if shapes:
            write_shapes(outfolder / shapes_file(size, band), shapes)
        images = sum(1 for _ in part.iterdir())
        missing = {pgc: f"no image in band {band}" for pgc in table.labels if pgc not in chosen}
        # The catalogue's own reason says more than "not in the catalogue".
        skipped = {_called(key, table.names): reason for key, reason in (unusable | missing | table.skipped).items()}
        write_skipped(skipped_table, skipped)
        for key, reason in skipped.items():
            logger.debug("skipped %s: %s", f"PGC {key}" if isinstance(key, int) else key, reason)
        if not images:
            raise InclinetError(
                f"{impath}: no image in band {band} is left to work on; {len(skipped)} galaxies skipped, see "
                f"{skipped_table}; check the images (impath), the root of their names (imroot, {imroot!r}) and the "
                "catalogue (catalog)"
            )
    return Prepared(folder, images, skipped)


def _called(key: int | str, names: Mapping[int, str]) -> int | str:
    """Return the PGC number of a galaxy, or its name if it has none."""
    return key if isinstance(key, str) or key > 0 else names.get(key, key)


def _locate(folder: Path, name: str) -> Path | BinaryIO:
    """Return the image of a name: a path, by default within the folder, or an address."""
    if not name.lower().startswith("s3:"):
        return folder / Path(name).expanduser()
    try:
        store, key = split_address(name)
        return io.BytesIO(store.read(key))
    except FileNotFoundError:
        raise BadImageError("no such file") from None
    except (OSError, InclinetError) as error:
        raise BadImageError(f"cannot be read ({error})") from None


def _list_names(impath: Path, imroot: str, catalog: Path) -> list[str]:
    """Return the names in a folder, where the catalogue may lie, too.

    A warning counts the files that are no images, or not called like a galaxy's.

    Raises
    ------
    InclinetError
        When the folder cannot be read.
    """
    beside = catalog.name if catalog.absolute().parent == impath.absolute() else ""
    try:
        names = sorted(path.name for path in impath.iterdir() if path.name != beside)
    except PermissionError as error:
        raise InclinetError(f"{impath}: this folder cannot be read ({error.strerror})", setting="impath") from None
    others = [name for name in names if parse_cutout(name) is None and parse_image(name, imroot) is None]
    if others:
        named = ", ".join([*others[:_NAMED], *(["…"] if len(others) > _NAMED else [])])
        logger.warning("%s: %d files that are no images of a galaxy are left out (%s)", impath, len(others), named)
    return names


def check_bands(bands: Sequence[str]) -> None:
    """Check the names of bands.

    Raises
    ------
    InclinetError
        When there can be no band of that name, or one is named twice, or there are none.
    """
    for band in bands:
        if not is_band(band):
            raise InclinetError(
                f"{band!r} cannot be the name of a band: give up to 16 letters and digits, such as g, z, W1 or, in "
                "colour, gri (which is stored as RGB) and grz",
                setting="band",
            )
    if not bands or len(set(bands)) < len(bands):
        raise InclinetError("name each band once, such as g,r,i,gri", setting="band")


def downsample(
    chosen: Mapping[int, str],
    labels: Mapping[int, str],
    locate: Callable[[str], Path | BinaryIO],
    outfolder: Path,
    band: str,
    size: int,
    framing: Framing,
    *,
    workers: int | None = None,
    track: Track = silent,
) -> tuple[dict[int | str, str], dict[int, Shape]]:
    """Write one downsampled image per galaxy into `outfolder`.

    Returns
    -------
    skipped : dict of int or str to str
        Why galaxies were skipped, by PGC number.
    shapes : dict of int to Shape
        The shapes of the others, by PGC number, if `framing` is `measured`.

    Parameters
    ----------
    chosen : mapping of int to str
        File name by PGC number.
    labels : mapping of int to str
        Label by PGC number.
    locate : callable
        Returns the local path, or the open file, of a file name.
    outfolder : Path
    band : str
    size : int
        Pixels a side of the downsampled images.
    framing : {'measured', 'given'}
    workers : int, optional
        Images at a time; None takes one per core.
    track : Track
        Shows the progress over the images.
    """
    labelled = {pgc: name for pgc, name in chosen.items() if pgc in labels}
    small = partial(small_jpeg, size=size, colour=is_colour(band), framing=framing)
    found = in_threads(partial(_find, locate), labelled.values(), workers)
    # Measuring holds the interpreter lock; decoding and resampling do not.
    measured = framing == "measured" and len(labelled) >= MANY
    made = (in_processes if measured else in_threads)(small, found, workers)
    shapes: dict[int, Shape] = {}
    skipped: dict[int | str, str] = {}
    for (pgc, name), one in zip(labelled.items(), track(made, f"prep {band}", len(labelled)), strict=True):
        if isinstance(one, BadImageError):
            skipped[pgc] = f"{name}: {one}"
            continue
        content, shape = one
        (outfolder / small_image(pgc, size, labels[pgc], band)).write_bytes(content)
        if shape:
            shapes[pgc] = shape
    skipped |= {pgc: f"{name}: not in the catalogue" for pgc, name in chosen.items() if pgc not in labels}
    return skipped, shapes


def _find(locate: Callable[[str], Path | BinaryIO], name: str) -> Path | BinaryIO | BadImageError:
    """Return where an image is, or why it cannot be read."""
    try:
        return locate(name)
    except BadImageError as error:
        return error


def write_shapes(path: Path, shapes: Mapping[int, Shape]) -> Path:
    """Write the table of shapes: `pgc` and the fields of `Shape`; pixels of the images, angles in deg."""
    table = pd.DataFrame([{"pgc": pgc, **asdict(shapes[pgc])} for pgc in sorted(shapes)])
    with atomic_file(path) as part:
        table.round(3).to_csv(part, index=False)
    return path


def write_skipped(path: Path, skipped: Mapping[int | str, str]) -> Path:
    """Write the table of skipped galaxies, columns `pgc` and `reason`."""
    with atomic_file(path) as part, part.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["pgc", "reason"])
        writer.writerows((key, skipped[key]) for key in sorted(skipped, key=str))
    return path
