"""Mock spirals of known inclination, in the format of the survey's cutouts and catalogue."""

import io
import math
import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from inclinet.data.bands import GRAY_BANDS
from inclinet.data.galaxies import SIMULATED_PGC
from inclinet.errors import InclinetError
from inclinet.progress import Track, silent
from inclinet.simulation.catalogue import catalogue_row, catalogue_text, draw_entry
from inclinet.simulation.defects import add_bright_star, blank_corners
from inclinet.simulation.galaxy import paint_galaxy
from inclinet.simulation.observation import observe, paint_field
from inclinet.simulation.photometry import axis_ratios
from inclinet.simulation.population import Case, Mock, draw_cases, draw_companion, draw_spiral, without_disc
from inclinet.simulation.stretch import to_colour, to_negatives
from inclinet.storage.atomic import atomic_file
from inclinet.storage.parallel import in_processes

__all__ = ["simulate"]

_LARGEST_SHARE = 0.4
_LEAST = {"n": 1, "seed": 0, "size": 32, "workers": 1}


def simulate(
    n: int,
    outfolder: Path,
    *,
    seed: int = 0,
    size: int = 256,
    workers: int | None = None,
    imroot: str = "d25x2_rot",
    face_on: float = 0.06,
    useless: float = 0.04,
    track: Track = silent,
) -> Path:
    """Write the images and the catalogue of `n` mock spirals with inclinations of 45 to 90 deg.

    Images are `pgc<ID>_<imroot>_{g,r,i}.png` (8-bit, dark on light) and `pgc<ID>_<imroot>_gri.sdss.jpg`
    (RGB = i, r, g), each 2 D25 wide with the major axis nearly level. From 5 galaxies on, some are flawed on
    purpose: face-on, useless, without one band (2 %), with a truncated file (1 %), at least one of each unless its
    share is 0.

    Every galaxy has a row in the catalogue. Its `inc` is the true inclination rounded to a degree. Its axis ratios
    `b_a` and `Sba` are measured in the r image, so the inclinations that they give are as uncertain as those of real
    galaxies: from 64 pixels a side on they are wrong by 6 to 9 deg RMS.

    Parameters
    ----------
    n : int
        Number of galaxies, at least 1.
    outfolder : Path
        Folder of the images and the catalogue; created if necessary.
    seed : int
        The same seed, `n` and `size` give the same bytes, whatever the number of workers.
    size : int
        Pixels a side, at least 32.
    workers : int, optional
        Processes; 1 works in this one. None takes one per core, fewer for a few galaxies.
    imroot : str
        Part of the image names between the PGC number and the band.
    face_on, useless : float
        Shares, 0 to 0.4, of galaxies below 45 deg, drawn from 0 to 44, and of those that people reject: mergers,
        galaxies behind a bright star, and galaxies without a disc.
    track : Track
        Shows the progress over the finished galaxies.

    Returns
    -------
    Path
        The catalogue, `outfolder/catalog.csv`.

    Raises
    ------
    InclinetError
        If `n`, `seed`, `size` or `workers` is too small, or a share too large.
    """
    _check(n=n, seed=seed, size=size, workers=workers)
    _check_shares(face_on=face_on, useless=useless)
    outfolder = Path(outfolder)
    outfolder.mkdir(parents=True, exist_ok=True)
    make_galaxy = partial(_make_galaxy, outfolder=outfolder, seed=seed, size=size, imroot=imroot)
    # A spawned process takes a second or two to start: not worth it for a few galaxies.
    workers = workers or min(os.cpu_count() or 1, math.ceil(n / 16))
    jobs = enumerate(draw_cases(n, seed, face_on, useless))
    if workers == 1:
        rows = list(track(map(make_galaxy, jobs), "mock galaxies", n))
    else:
        rows = list(track(in_processes(make_galaxy, jobs, workers), "mock galaxies", n))
    catalog = outfolder / "catalog.csv"
    _write(catalog, catalogue_text(rows).encode())
    return catalog


def _check(**settings: int | None) -> None:
    for name, value in settings.items():
        if value is not None and value < _LEAST[name]:
            raise InclinetError(f"simulate: {name} is {value}; give {_LEAST[name]} or more", setting=name)


def _check_shares(**shares: float) -> None:
    for name, value in shares.items():
        if not 0 <= value <= _LARGEST_SHARE:
            raise InclinetError(f"simulate: {name} is {value}; give a share from 0 to {_LARGEST_SHARE}", setting=name)


def _make_galaxy(job: tuple[int, Case], *, outfolder: Path, seed: int, size: int, imroot: str) -> dict[str, str]:
    """Write the images of one galaxy; return its catalogue row."""
    index, case = job
    # One generator per galaxy, so that the bytes do not depend on the workers; the order of its uses is part of them.
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,)))
    mock = draw_spiral(rng, SIMULATED_PGC + index)
    if case == "face-on":  # at random: uniform in the cosine
        mock = replace(mock, inclination=math.degrees(math.acos(rng.uniform(math.cos(math.radians(44)), 1))))
    if case == "no disc":
        mock = without_disc(mock, rng)
    pixel = 2 * 60 * mock.d25 / size
    disc, bulge = paint_galaxy(mock, rng, size, pixel)
    entry = draw_entry(mock, case, rng)
    scene = disc + bulge + paint_field(mock, rng, size, pixel)
    if case == "merger":
        scene += sum(paint_galaxy(draw_companion(mock, rng), rng, size, pixel))
    frames = observe(scene, rng, pixel)
    if case == "star":
        x, y = size / 2 + rng.uniform(-0.15, 0.15, 2) * size
        add_bright_star(frames, rng, pixel, x=x, y=y, mag=rng.uniform(8, 10.5))
    _write_images(mock, case, frames, rng, outfolder, imroot)
    ratios = axis_ratios(frames[GRAY_BANDS.index("r")], pixel)
    return catalogue_row(mock, entry, disc.sum((1, 2)), bulge.sum((1, 2)), ratios)


def _write_images(
    mock: Mock, case: Case, frames: np.ndarray, rng: np.random.Generator, outfolder: Path, imroot: str
) -> None:
    """Write the images in every band, except where the galaxy is to lack one or to have a truncated one."""
    stem = f"pgc{mock.pgc}_{imroot}"
    files = {f"{stem}_{band}.png": image for band, image in zip(GRAY_BANDS, to_negatives(frames, rng), strict=True)}
    files[f"{stem}_gri.sdss.jpg"] = to_colour(frames, rng)
    if (blank := blank_corners(frames.shape[1], rng)) is not None:
        for image in files.values():
            image[blank] = 255
    flawed = f"{stem}_{rng.choice(GRAY_BANDS)}.png"
    for name, image in files.items():
        content = _encode(image, Path(name).suffix)
        if name == flawed and case == "truncated":
            content = content[: len(content) // 2]
        if name == flawed and case == "missing":
            (outfolder / name).unlink(missing_ok=True)
        else:
            _write(outfolder / name, content)


def _encode(image: np.ndarray, suffix: str) -> bytes:
    """Return the content of the image file, PNG or JPEG."""
    buffer = io.BytesIO()
    if suffix == ".png":
        Image.fromarray(image).save(buffer, format="PNG", compress_level=3)
    else:
        Image.fromarray(image).save(buffer, format="JPEG", quality=90)
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> None:
    with atomic_file(path) as part:
        part.write_bytes(content)
