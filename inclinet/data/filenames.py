"""File names of images, packed files, samples and stored batches: written and parsed in one place."""

import re
from dataclasses import dataclass, field

from inclinet.data.bands import BANDS, band_letter, is_band, is_colour, stored_band
from inclinet.data.galaxies import identify

__all__ = [
    "IMAGE_FORMATS",
    "ImageName",
    "SmallName",
    "band_folder",
    "batch_file",
    "batch_folder",
    "filter_of",
    "is_image",
    "left_out_file",
    "packed_file",
    "parse_band_folder",
    "parse_cutout",
    "parse_image",
    "parse_packed",
    "parse_sample",
    "parse_small",
    "sample_file",
    "shapes_file",
    "skipped_file",
    "small_image",
    "split_band",
    "validation_file",
]

_SIZE, _STORED_BAND = r"(?P<size>\d+)x(?P=size)", r"(?P<band>[A-Za-z][A-Za-z0-9]{0,15})"
_SMALL = re.compile(rf"pgc(?P<pgc>-?\d{{1,10}})_{_SIZE}_(?P<label>F|\d+)\.{_STORED_BAND}\.jpg")
_FOLDER = re.compile(rf"{_SIZE}_{_STORED_BAND}")
_SAMPLE = re.compile(rf"{_STORED_BAND}_{_SIZE}_(?P<side>train|test)_(?P<subsample>\d{{3}})\.npz")
_PACKED = re.compile(rf"{_SIZE}_{_STORED_BAND}\.npz")

IMAGE_FORMATS = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "FITS": (".fits", ".fit", ".fts", ".fits.gz", ".fit.gz", ".fts.gz", ".fits.fz", ".fz"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "JPEG2000": (".jp2", ".j2k", ".jpx"),
}
"""The formats of images that are read, as Pillow calls them, and how their files end, in lower case."""

_SUFFIXES = tuple(suffix for suffixes in IMAGE_FORMATS.values() for suffix in suffixes)
_SUFFIX = rf"(?P<sdss>\.sdss)?(?P<suffix>{'|'.join(map(re.escape, sorted(_SUFFIXES, key=len, reverse=True)))})"
_INPUT = re.compile(rf"pgc[\s_]*(?P<pgc>\d{{1,9}})(?P<rest>(?:[^0-9A-Za-z].*?)?){_SUFFIX}", re.IGNORECASE | re.DOTALL)
_FILTER = re.compile(r"[ugrizyUBVRIJHKY]|Ks|W[1-4]|NUV|FUV|F\d{3}[A-Z]")  # of ground, WISE, GALEX, HST and JWST
_LIKE_PGC = re.compile(r"pgc[0-9]", re.IGNORECASE)  # with more digits than PGC numbers have
_NAMED = re.compile(rf"(?P<stem>.+?){_SUFFIX}", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class ImageName:
    """What the file name of an input image tells."""

    pgc: int
    band: str | None
    """As the name spells it; None if it tells none."""
    preferred: bool
    """True for `.sdss.jpg`, which is preferred to the colour image processed locally."""
    suffix: str
    """How the name ends, in lower case: one of those in `IMAGE_FORMATS`."""
    filter: str = field(default="", compare=False)
    """The band as arrays and tables spell it; empty if the name tells none."""


@dataclass(frozen=True)
class SmallName:
    """What the file name of a downsampled image tells; `label` is `F`, `0` or an integer inclination in degrees."""

    pgc: int
    size: int
    label: str
    band: str


def is_image(name: str) -> bool:
    """Return whether a file is called like an image."""
    return name.lower().endswith(_SUFFIXES)


def parse_image(name: str, imroot: str) -> ImageName | None:
    """Return what the file name of an input image tells, None if it is not one with this root and a band.

    It begins with `pgc<ID>`, or with any other name of the galaxy, for which `inclinet.data.galaxies.identify` stands.
    """
    match = _NAMED.fullmatch(name)
    stem, _, band = match["stem"].rpartition("_") if match else ("", "", "")
    galaxy = stem.removesuffix(f"_{imroot}")
    if match is None or galaxy in ("", stem) or not is_band(band):
        return None
    parsed = parse_cutout(name)
    if parsed is None and _LIKE_PGC.match(name):
        return None
    pgc = parsed.pgc if parsed else identify(galaxy)
    return ImageName(pgc, band, match["sdss"] is not None, match["suffix"].lower())


def parse_cutout(name: str) -> ImageName | None:
    """Return what the file name of an input image tells, None if it does not tell the galaxy.

    The root may be any, and the band none.
    """
    match = _INPUT.fullmatch(name)
    if match is None:
        return None
    word = match["rest"].rpartition("_")[2]
    letter = filter_of(word)
    return ImageName(
        int(match["pgc"]), word if letter else None, match["sdss"] is not None, match["suffix"].lower(), letter
    )


def filter_of(word: str) -> str:
    """Return the band, as arrays and tables spell it, that the last word of an image's name tells; empty if none.

    It is a known filter, or three or more in a row, such as `grz`.
    """
    is_known = word in BANDS or _FILTER.fullmatch(word) or is_colour(word)
    return band_letter(word) if is_known and is_band(word) else ""


def split_band(name: str) -> tuple[str, str]:
    """Return the file name of any image without its suffix and band, and the band as arrays and tables spell it.

    The band is empty if the name tells none.
    """
    match = _NAMED.fullmatch(name)
    stem = match["stem"] if match else name
    rest, _, word = stem.rpartition("_")
    band = filter_of(word)
    return (rest if rest and band else stem), band


def band_folder(size: int, band: str) -> str:
    """Folder of one band's downsampled images."""
    return f"{size}x{size}_{stored_band(band)}"


def parse_band_folder(name: str) -> tuple[int, str] | None:
    """Return (size, stored band) of a folder of downsampled images, None for any other name."""
    match = _FOLDER.fullmatch(name)
    return match and (int(match["size"]), match["band"])


def small_image(pgc: int, size: int, label: str, band: str) -> str:
    """File name of one downsampled image."""
    return f"pgc{pgc}_{size}x{size}_{label}.{stored_band(band)}.jpg"


def parse_small(name: str) -> SmallName | None:
    """Return what the file name of a downsampled image tells, None if it is not one."""
    match = _SMALL.fullmatch(name)
    return match and SmallName(int(match["pgc"]), int(match["size"]), match["label"], match["band"])


def shapes_file(size: int, band: str) -> str:
    """Return the name of the table of the galaxies' shapes in one band."""
    return f"{band_folder(size, band)}_shapes.csv"


def skipped_file(size: int, band: str) -> str:
    """Table of the galaxies that the prep stage skipped in one band, with their reasons."""
    return f"{band_folder(size, band)}_skipped.csv"


def packed_file(size: int, band: str) -> str:
    """Array file of one band, written by the compress stage."""
    return f"{band_folder(size, band)}.npz"


def parse_packed(name: str) -> tuple[int, str] | None:
    """Return (size, stored band) of a packed array file, None for any other name."""
    match = _PACKED.fullmatch(name)
    return match and (int(match["size"]), match["band"])


def sample_file(band: str, size: int, side: str, subsample: int) -> str:
    """Array file of one side (`train` or `test`) of a subsample in one band."""
    return f"{stored_band(band)}_{size}x{size}_{side}_{subsample:03d}.npz"


def parse_sample(name: str) -> tuple[str, int, str, int] | None:
    """Return (stored band, size, side, subsample) of a sample file, None for any other name."""
    match = _SAMPLE.fullmatch(name)
    return match and (match["band"], int(match["size"]), match["side"], int(match["subsample"]))


def batch_folder(subsample: int) -> str:
    """Folder of the stored batches of one subsample."""
    return f"Uset_{subsample:03d}_npz"


def batch_file(size: int, batch: int) -> str:
    """File of one stored batch; batches count from 1."""
    return f"{size}x{size}_train_aug_{batch:02d}.npz"


def validation_file(size: int) -> str:
    """File of the augmented test set."""
    return f"{size}x{size}_test_aug.npz"


def left_out_file(size: int, subsample: int) -> str:
    """File of the augmented left-out galaxies of a subsample."""
    return f"{size}x{size}_left_aug_{subsample:03d}.npz"
