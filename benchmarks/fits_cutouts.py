"""How FITS cutouts are answered: mock galaxies as pictures of the survey and as FITS files, with the shipped version.

python -m benchmarks.fits_cutouts [GALAXIES]
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from astropy.io import fits
from PIL import Image

import inclinet
from inclinet.simulation.galaxy import paint_galaxy
from inclinet.simulation.observation import observe, paint_field
from inclinet.simulation.population import draw_spiral
from inclinet.simulation.stretch import to_colour, to_negatives

SIZE = 256  # pixels
R = 1  # the band r among g, r and i


def write_galaxy(folder: Path, pgc: int) -> float:
    """Write the images of one mock galaxy of 45 deg or more; return its inclination (deg)."""
    rng = np.random.default_rng(pgc)
    mock = draw_spiral(rng, pgc)
    pixel = 2 * 60 * mock.d25 / SIZE
    scene = sum(paint_galaxy(mock, rng, SIZE, pixel)) + paint_field(mock, rng, SIZE, pixel)
    frames = observe(scene, rng, pixel)
    deep = 0.1 * frames + np.float32(0.9 / pixel**2) * scene  # a tenth of the noise
    Image.fromarray(to_colour(frames, rng)).save(folder / f"pgc{pgc}_picture_gri.jpg", quality=90)
    Image.fromarray(to_negatives(frames, rng)[R]).save(folder / f"pgc{pgc}_negative_r.png")
    images = {
        "r_band_r": frames[R],
        "counts_r": (1000 + 400 * frames[R]).round().astype(np.int32),
        "deep_r": deep[R],
        "cube_gri": frames,
        "deep_cube_gri": deep,
    }
    for name, image in images.items():
        fits.PrimaryHDU(image.astype(np.float32 if image.dtype.kind == "f" else image.dtype)).writeto(
            folder / f"pgc{pgc}_{name}.fits", overwrite=True
        )
    return mock.inclination


def main(galaxies: int) -> None:
    """Print the error of each kind of image, and its median difference from the survey's colour picture."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        truth = {pgc: write_galaxy(folder, pgc) for pgc in range(1, galaxies + 1)}
        table = inclinet.predict(folder, version="shipped")
    kinds = table["image"].str.extract(r"pgc\d+_(\w+)\.")[0]
    answers = table.assign(kind=kinds).pivot(index="pgc", columns="kind", values="inclination")
    truths = np.array([truth[pgc] for pgc in answers.index])
    pictures = answers["picture_gri"].to_numpy()
    print(f"{galaxies} mock galaxies of {SIZE} pixels: RMS and bias (deg), RMS against the colour picture (deg)")
    for kind in answers:
        error = answers[kind].to_numpy() - truths
        moved = answers[kind].to_numpy() - pictures
        print(f"{kind:15} {np.sqrt((error**2).mean()):5.2f} {error.mean():+5.2f} {np.sqrt((moved**2).mean()):5.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
