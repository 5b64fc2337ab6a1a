"""Mock spirals of known inclination, in the format of the survey's cutouts and catalogue.

A galaxy is painted face-on (old stars, young stars, dust), given its thickness, and projected by
integrating light and extinction along every line of sight, so that arms, dust lanes and axis ratio all
follow from one inclination. Seeing, sky noise, stars and neighbours follow SDSS.
"""

import io
import math
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from inclinet.data.bands import BANDS
from inclinet.data.catalog import SIMULATED_PGC
from inclinet.errors import InclinetError
from inclinet.progress import Track, silent
from inclinet.simulation.galaxy import paint_galaxy
from inclinet.simulation.observation import observe, paint_field, to_colour, to_negatives
from inclinet.simulation.population import TYPES, Mock, draw_companion, draw_spiral
from inclinet.storage.atomic import atomic_file

__all__ = ["simulate"]


# SDSS imaging, in the order g, r, i; fluxes are in nanomaggies (22.5 mag = 1).
GRAY = BANDS[:3]


def simulate(
    n: int,
    outfolder: Path,
    *,
    seed: int = 0,
    size: int = 256,
    workers: int | None = None,
    imroot: str = "d25x2_rot",
    track: Track = silent,
) -> Path:
    """Write the images and the catalogue of `n` mock spirals with inclinations of 45 to 90 deg.

    Images are `pgc<ID>_<imroot>_{g,r,i}.png` (8-bit, dark on light) and `pgc<ID>_<imroot>_gri.sdss.jpg`
    (RGB = i, r, g), each 2 D25 wide with the major axis nearly level. From 5 galaxies on, some are bad on
    purpose: face-on (6 %), merging (4 %), without one band (2 %), with a truncated file (1 %), at least one
    of each. Every galaxy has a row in the catalogue, `inc` being its true inclination rounded to a degree.

    Parameters
    ----------
    n : int
        Number of galaxies, at least 1.
    outfolder : Path
        Folder of the images and the catalogue; made if need be.
    seed : int
        The same seed, `n` and `size` give the same bytes, whatever the number of workers.
    size : int
        Pixels a side, at least 32.
    workers : int, optional
        Processes; 1 works in this one. None takes one per core, fewer for a few galaxies.
    imroot : str
        Part of the image names between the PGC number and the band.
    track : Track
        Shows the progress over the finished galaxies.

    Returns
    -------
    Path
        The catalogue, `outfolder/catalog.csv`.

    Raises
    ------
    InclinetError
        If `n`, `seed`, `size` or `workers` is too small.
    """
    for name, value, least in (("n", n, 1), ("seed", seed, 0), ("size", size, 32), ("workers", workers, 1)):
        if value is not None and value < least:
            raise InclinetError(f"simulate: {name} is {value}; give {least} or more")
    outfolder = Path(outfolder)
    outfolder.mkdir(parents=True, exist_ok=True)
    make = partial(_make, outfolder=outfolder, seed=seed, size=size, imroot=imroot)
    # A spawned process takes a second or two to start: not worth it for a few galaxies.
    workers = workers or min(os.cpu_count() or 1, math.ceil(n / 16))
    cases = enumerate(_cases(n, seed))
    if workers == 1:
        rows = list(track(map(make, cases), "mock galaxies", n))
    else:
        # Spawned, not forked: the caller may well have threads.
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, spawn, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
            rows = list(track(pool.map(make, cases, chunksize=4), "mock galaxies", n))
    catalog = outfolder / "catalog.csv"
    _write(catalog, _table(rows).encode())
    return catalog


def _cases(n: int, seed: int) -> list[str]:
    """Return what each galaxy is: `good` or one of the bad cases."""
    cases = ["good"] * n
    if n < 5:
        return cases
    order = iter(np.random.default_rng(np.random.SeedSequence(seed)).permutation(n))
    for case, share in (("face-on", 0.06), ("merger", 0.04), ("missing", 0.02), ("truncated", 0.01)):
        for _ in range(max(1, round(share * n))):
            cases[next(order)] = case
    return cases


def _make(job: tuple[int, str], *, outfolder: Path, seed: int, size: int, imroot: str) -> dict[str, str]:
    """Write the images of one galaxy; return its catalogue row."""
    index, case = job
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,)))
    mock = draw_spiral(rng, SIMULATED_PGC + index)
    if case == "face-on":
        mock = replace(mock, inclination=rng.uniform(10, 40))
    pixel = 2 * 60 * mock.d25 / size
    disc, bulge = paint_galaxy(mock, rng, size, pixel)
    row = _row(mock, case, disc.sum((1, 2)), bulge.sum((1, 2)), rng)
    scene = disc + bulge + paint_field(mock, rng, size, pixel)
    if case == "merger":
        scene += sum(paint_galaxy(draw_companion(mock, rng), rng, size, pixel))
    frames = observe(scene, rng, pixel)

    stem = f"pgc{mock.pgc}_{imroot}"
    files = {f"{stem}_{band}.png": image for band, image in zip(GRAY, to_negatives(frames, rng), strict=True)}
    files[f"{stem}_gri.sdss.jpg"] = to_colour(frames)
    victim = f"{stem}_{rng.choice(GRAY)}.png"
    for name, image in files.items():
        content = _encode(image, Path(name).suffix)
        if name == victim and case == "truncated":
            content = content[: len(content) // 2]
        if name == victim and case == "missing":
            (outfolder / name).unlink(missing_ok=True)
        else:
            _write(outfolder / name, content)
    return row


def _encode(image: np.ndarray, suffix: str) -> bytes:
    """Return the image file, PNG or JPEG."""
    buffer = io.BytesIO()
    options = {"format": "PNG", "compress_level": 3} if suffix == ".png" else {"format": "JPEG", "quality": 90}
    Image.fromarray(image).save(buffer, **options)
    return buffer.getvalue()


def _row(mock: Mock, case: str, disc: np.ndarray, bulge: np.ndarray, rng: np.random.Generator) -> dict[str, str]:
    """Return the catalogue row; `disc` and `bulge` are fluxes (3,) in nanomaggies."""
    true = mock.axis_ratio
    ratios = np.clip(true + rng.normal(0, 0.04, 2), 0.05, 1)
    pa = rng.uniform(0, 180)
    name = TYPES[round(mock.ty) - 1]
    row = {
        "pgc": f"{mock.pgc}",
        "ra": f"{rng.uniform(110, 260):.4f}",
        "dec": f"{rng.uniform(0, 60):.4f}",
        "d25": f"{mock.d25:.2f}",
        "b_a": f"{ratios[0]:.2f}",
        "pa": f"{pa:.1f}",
        "ty": f"{mock.ty:.1f}",
        "type": "SB" + name[1:] if mock.bar else name,
        "sdss": "1",
    }
    h = mock.h * rng.normal(1, 0.03, 3)
    mags = 22.5 - 2.5 * np.log10(disc + bulge)
    mu0 = 22.5 - 2.5 * np.log10(disc / (2 * np.pi * h**2 * true))
    row |= {f"{band}_mag": f"{mag:.2f}" for band, mag in zip(GRAY, mags, strict=True)}
    row |= {"Sba": f"{ratios[1]:.2f}", "Spa": f"{(pa + rng.normal(0, 3)) % 180:.1f}"}
    row |= {f"disc_mu0_{band}": f"{mu:.2f}" for band, mu in zip(GRAY, mu0, strict=True)}
    row |= {f"h_{band}": f"{length / 60:.2f}" for band, length in zip(GRAY, h, strict=True)}
    row |= {"fon": "", "inc": f"{round(mock.inclination)}", "inc_e": f"{rng.integers(1, 5)}"}
    row |= {"inc_flg": "0", "inc_n": f"{rng.integers(3, 13)}", "inc_note": ""}
    if case == "face-on":
        # People write it in the column, in the note or in both.
        fon, note = (("F", ""), ("", "[face_on]"), ("F", "[bad_TF] [face_on]"))[rng.integers(3)]
        row |= {"fon": fon, "inc": ("", "0")[rng.integers(2)], "inc_e": "0", "inc_note": note}
        row["inc_flg"] = f"{rng.integers(1, 4)}"
    if case == "merger":
        row |= {"inc": "0", "inc_e": "0", "inc_note": "[merger] [multiple]"}
        row["inc_flg"] = f"{rng.integers(1, 3)}"
    return row


def _table(rows: list[dict[str, str]]) -> str:
    """Return the catalogue: columns split by `|` and padded with spaces to one width."""
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = [[cell.rjust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    return "".join(" | ".join(line) + "\n" for line in padded)


def _write(path: Path, content: bytes) -> None:
    with atomic_file(path) as part:
        part.write_bytes(content)
