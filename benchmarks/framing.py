"""How far the answer moves when the same galaxy is cropped, padded or shifted, and how far it is from the label then.

python -m benchmarks.framing IMAGES CATALOG [--store STORE] [--version VERSION] [-n 100]
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from PIL import Image

from inclinet.data.catalog import read_catalog
from inclinet.data.filenames import parse_cutout
from inclinet.data.images import open_image
from inclinet.data.inclination import MIN_INCLINATION, numeric_label
from inclinet.prediction.predictor import Predictor
from inclinet.storage.atomic import temporary_folder


def crop(pixels: np.ndarray, share: float) -> np.ndarray:
    """Return the central part of an image."""
    cut = round(len(pixels) * (1 - share) / 2)
    return pixels[cut : len(pixels) - cut, cut : len(pixels) - cut]


def pad(pixels: np.ndarray, share: float, value: int | None = None) -> np.ndarray:
    """Return a wider image, filled with its own sky and noise, or with one value."""
    size, margin = len(pixels), round(len(pixels) * (share - 1) / 2)
    border = np.concatenate([pixels[:3].reshape(-1, 3), pixels[-3:].reshape(-1, 3)])
    dim = border[border.mean(axis=1) <= np.median(border.mean(axis=1))]
    wide = np.random.default_rng(0).choice(dim, (size + 2 * margin,) * 2)
    if value is not None:
        wide[:] = value
    wide[margin : margin + size, margin : margin + size] = pixels
    return wide


def shift(pixels: np.ndarray, share: float) -> np.ndarray:
    """Return the image moved to the lower right, filled with its sky."""
    return pad(pixels, 1 + 2 * share)[: len(pixels), : len(pixels)]


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as it is": lambda pixels: pixels,
    "cropped to 90 %": lambda pixels: crop(pixels, 0.9),
    "cropped to 80 %": lambda pixels: crop(pixels, 0.8),
    "cropped to 70 %": lambda pixels: crop(pixels, 0.7),
    "cropped to 60 %": lambda pixels: crop(pixels, 0.6),
    "padded to 150 %": lambda pixels: pad(pixels, 1.5),
    "padded to 200 %": lambda pixels: pad(pixels, 2.0),
    "padded to 150 %, black": lambda pixels: pad(pixels, 1.5, 0),
    "padded to 150 %, white": lambda pixels: pad(pixels, 1.5, 255),
    "shifted by 10 %": lambda pixels: shift(pixels, 0.1),
    "black on white": lambda pixels: 255 - pixels,
}


def read_originals(images: Path, labels: dict[int, int], n: int) -> dict[int, np.ndarray]:
    """Return the colour images of about n labelled galaxies, evenly spaced, by PGC number."""
    paths = {parsed.pgc: path for path in images.glob("*.jpg") if (parsed := parse_cutout(path.name))}
    pgcs = sorted(paths.keys() & labels.keys())
    return {pgc: np.asarray(open_image(paths[pgc], colour=True)) for pgc in pgcs[:: max(1, len(pgcs) // n)][:n]}


def predict_changed(
    predictor: Predictor, originals: Iterable[np.ndarray], change: Callable[[np.ndarray], np.ndarray]
) -> pd.DataFrame:
    """Return the predictions for changed images, one row for each."""
    with temporary_folder("changed") as folder:
        files = [folder / f"{number}_gri.png" for number in range(len(originals))]
        for file, pixels in zip(files, originals, strict=True):
            Image.fromarray(np.ascontiguousarray(change(pixels))).save(file)
        return predictor.predict(files, per_image=True)


def main(
    images: Path,
    catalog: Path,
    store: Annotated[str | None, typer.Option()] = None,
    version: Annotated[str | None, typer.Option()] = None,
    n: Annotated[int, typer.Option("-n")] = 100,
) -> None:
    """Print how far answers move, in deg and in error bars, and their errors."""
    predictor = Predictor.open(store, version)
    everyone = {pgc: numeric_label(label) for pgc, label in read_catalog(catalog).labels.items()}
    labels = {pgc: label for pgc, label in everyone.items() if label >= MIN_INCLINATION}
    originals = read_originals(images, labels, n)
    truth = np.array([labels[pgc] for pgc in originals])
    answers = {
        name: predict_changed(predictor, originals.values(), change)[["inclination", "error"]].to_numpy()
        for name, change in CHANGES.items()
    }
    plain = answers["as it is"]
    rows = []
    for name, (answer, bar) in zip(answers, (changed.T for changed in answers.values()), strict=True):
        moved, error = np.abs(answer - plain[:, 0]), np.abs(answer - truth)
        rows.append(
            {
                "": name,
                "moved, median (deg)": np.median(moved),
                "RMS": np.sqrt(np.mean(moved**2)),
                "by less than half a bar": f"{100 * np.mean(moved < bar / 2):.0f} %",
                "error, RMS (deg)": np.sqrt(np.mean(error**2)),
                "mean bar": np.mean(bar),
                "within the bar": f"{100 * np.mean(error < bar):.0f} %",
            }
        )
    print(pd.DataFrame(rows).round(2).to_string(index=False))
    print(f"{len(truth)} labelled galaxies")


if __name__ == "__main__":
    typer.run(main)
