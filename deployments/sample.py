"""The sample of the demo: checked on this machine before anything runs, then uploaded to the object store."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from botocore.client import BaseClient

from deployments.processes import CONSOLE
from deployments.settings import BUCKET, Service
from inclinet.cli.app import settings, track
from inclinet.data.filenames import parse_image
from inclinet.data.roots import bands_of, common_root
from inclinet.errors import InclinetError
from inclinet.settings import Sample

__all__ = ["LocalSample", "choose_sample", "parse_bands", "upload_sample"]

_PARALLEL = 16


@dataclass(frozen=True)
class LocalSample:
    """A sample on this machine, and which of its images to use."""

    images: Path
    catalog: Path
    imroot: str
    bands: tuple[str, ...]

    @property
    def files(self) -> dict[str, Path]:
        """The files to upload, by their key below the sample's prefix."""
        images = {
            f"galaxies/{path.name}": path for path in self.images.iterdir() if parse_image(path.name, self.imroot)
        }
        return images | {"catalog.csv": self.catalog}


def parse_bands(text: str) -> tuple[str, ...]:
    """Return the bands in a list separated by commas, with or without blanks, each once and in the usual order.

    Raises
    ------
    InclinetError
        One cannot be the name of a band, or none is given.
    """
    given = {name.strip() for name in text.split(",") if name.strip()}
    if not given:
        raise InclinetError(f"no band in {text!r}: give some, such as g,r,i,gri", setting="bands")
    return settings(Sample, bands=tuple(given)).bands


def choose_sample(images: Path, catalog: Path | None, imroot: str | None, bands: tuple[str, ...] | None) -> LocalSample:
    """Return the sample in a folder of images.

    Parameters
    ----------
    images
        Folder of the images.
    catalog
        The catalogue; by default `catalog.csv` in the folder of the images.
    imroot
        Root of the image names; by default the most common one in the folder.
    bands
        Bands to use; by default those that the folder has images of.

    Raises
    ------
    InclinetError
        A file or folder is missing, or the folder holds no image with this root and these bands.
    """
    if not images.is_dir():
        raise InclinetError(f"{images}: no such folder of images", setting="images")
    names = [path.name for path in images.iterdir()]
    imroot = imroot or common_root(names)
    if imroot is None:
        raise InclinetError(f"{images}: no image is named like pgc<ID>_<root>_gri.jpg", setting="images")
    found = {image.band for name in names if (image := parse_image(name, imroot)) and image.band}
    if not found:
        raise InclinetError(f"{images}: no image is named like pgc<ID>_{imroot}_gri.jpg", setting="imroot")
    catalog = catalog or images / "catalog.csv"
    if not catalog.is_file():
        raise InclinetError(f"{catalog}: no such catalogue", setting="catalog")
    usual = tuple(bands_of(names, imroot))
    known = settings(Sample, bands=usual).bands if usual else ()
    for band in bands or ():
        if band not in found:
            there = ", ".join(known)
            raise InclinetError(f"{images}: no image of the band {band}, only of {there}", setting="bands")
    checked = settings(Sample, imroot=imroot, bands=bands or known)
    return LocalSample(images, catalog, checked.imroot, checked.bands)


def upload_sample(service: Service, sample: LocalSample) -> Sample:
    """Upload a sample under a prefix named after its folder; returns it as a parameter of the flows."""
    folder = sample.images.resolve()
    prefix = f"input/{folder.name}-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"
    files = sample.files
    uploaded = _synchronize(service.store.client(), prefix, files)
    CONSOLE.print(f"sample         {len(files) - 1} images in s3://{BUCKET}/{prefix}, {uploaded} files uploaded")
    return settings(
        Sample,
        images=f"{prefix}/galaxies",
        catalog=f"{prefix}/catalog.csv",
        imroot=sample.imroot,
        bands=sample.bands,
    )


def _synchronize(client: BaseClient, prefix: str, files: dict[str, Path]) -> int:
    """Make the bucket hold exactly these files under `prefix`, and return how many were uploaded.

    Parameters
    ----------
    files
        Local files by the rest of their keys. Those with the same content in the bucket are not uploaded again.
    """
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{prefix}/")
    stored = {
        item["Key"].removeprefix(f"{prefix}/"): item["ETag"].strip('"')
        for page in pages
        for item in page.get("Contents", ())
    }
    for name in stored.keys() - files.keys():
        client.delete_object(Bucket=BUCKET, Key=f"{prefix}/{name}")

    def upload(item: tuple[str, Path]) -> bool:
        name, path = item
        content = path.read_bytes()
        # The ETag of an object written in one piece is its MD5.
        if stored.get(name) == hashlib.md5(content, usedforsecurity=False).hexdigest():
            return False
        client.put_object(Bucket=BUCKET, Key=f"{prefix}/{name}", Body=content)
        return True

    with ThreadPoolExecutor(_PARALLEL) as pool:
        return sum(track(pool.map(upload, files.items()), "upload", len(files)))
