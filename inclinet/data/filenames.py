"""Names of images, packed files, samples and stored batches: made and parsed in one place."""

import re
from dataclasses import dataclass

from inclinet.data.bands import stored_band

__all__ = [
    "ImageName",
    "SmallName",
    "band_folder",
    "batch_file",
    "batch_folder",
    "left_out_file",
    "packed_file",
    "parse_band_folder",
    "parse_cutout",
    "parse_image",
    "parse_packed",
    "parse_small",
    "sample_file",
    "skipped_file",
    "small_image",
    "validation_file",
]


_SMALL = re.compile(r"pgc(?P<pgc>\d{1,9})_(?P<size>\d+)x(?P=size)_(?P<label>F|\d+)\.(?P<band>g|r|i|RGB)\.jpg")
_FOLDER = re.compile(r"(?P<size>\d+)x(?P=size)_(?P<band>g|r|i|RGB)")
_PACKED = re.compile(r"(?P<size>\d+)x(?P=size)_(?P<band>g|r|i|RGB)\.npz")


@dataclass(frozen=True)
class ImageName:
    """What the name of an input image says."""

    pgc: int
    band: str
    preferred: bool
    """True for `.sdss.jpg`, which wins over the colour image processed locally."""


@dataclass(frozen=True)
class SmallName:
    """What the name of a downsampled image says; `label` is `F`, `0` or an integer inclination in degrees."""

    pgc: int
    size: int
    label: str
    band: str


def parse_image(name: str, imroot: str) -> ImageName | None:
    """Return what the file name of an input image says, None when it is no such name."""
    match = re.fullmatch(rf"pgc(\d{{1,9}})_{re.escape(imroot)}_(?:([gri])\.png|gri(\.sdss)?\.jpg)", name)
    if match is None:
        return None
    pgc, gray, sdss = match.groups()
    return ImageName(int(pgc), gray or "gri", sdss is not None)


def parse_cutout(name: str) -> ImageName | None:
    """Return what the file name of a galaxy's image says, whatever its root; None when it is no such name."""
    match = re.fullmatch(r"pgc\d{1,9}_(?P<imroot>.+)_(?:[gri]\.png|gri(?:\.sdss)?\.jpg)", name)
    return match and parse_image(name, match["imroot"])


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
    """Return what the file name of a downsampled image says, None when it is no such name."""
    match = _SMALL.fullmatch(name)
    return match and SmallName(int(match["pgc"]), int(match["size"]), match["label"], match["band"])


def skipped_file(size: int, band: str) -> str:
    """Table of the galaxies that the prep stage skipped in one band, with the reason."""
    return f"{band_folder(size, band)}_skipped.csv"


def packed_file(size: int, band: str) -> str:
    """Array file of one band, written by the compress stage."""
    return f"{band_folder(size, band)}.npz"


def parse_packed(name: str) -> tuple[int, str] | None:
    """Return (size, stored band) of a packed array file, None for any other name."""
    match = _PACKED.fullmatch(name)
    return match and (int(match["size"]), match["band"])


def sample_file(band: str, size: int, side: str, subsample: int) -> str:
    """Array file of one side (`train` or `test`) of one subsample in one band."""
    return f"{stored_band(band)}_{size}x{size}_{side}_{subsample:03d}.npz"


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
    """File of the augmented galaxies that a subsample leaves out."""
    return f"{size}x{size}_left_aug_{subsample:03d}.npz"
