"""How far the answer moves when the same galaxy is cropped, padded or shifted.

python -m benchmarks.framing IMAGES [--store STORE] [--version VERSION] [-n 100]
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from PIL import Image

from inclinet.data.images import open_image
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


def read_originals(images: Path, n: int) -> list[np.ndarray]:
    """Return about n of the colour images in a folder, evenly spaced."""
    paths = sorted(images.glob("*.jpg"))
    return [np.asarray(open_image(path, colour=True)) for path in paths[:: max(1, len(paths) // n)][:n]]


def predict_changed(
    predictor: Predictor, originals: list[np.ndarray], change: Callable[[np.ndarray], np.ndarray]
) -> pd.DataFrame:
    """Return the predictions for changed images, one row for each."""
    with temporary_folder("changed") as folder:
        files = [folder / f"{number}_gri.png" for number in range(len(originals))]
        for file, pixels in zip(files, originals, strict=True):
            Image.fromarray(np.ascontiguousarray(change(pixels))).save(file)
        return predictor.predict(files, per_image=True)


def main(
    images: Path,
    store: Annotated[str | None, typer.Option()] = None,
    version: Annotated[str | None, typer.Option()] = None,
    n: Annotated[int, typer.Option("-n")] = 100,
) -> None:
    """Print how far answers move, in deg and in error bars."""
    predictor = Predictor.open(store, version)
    originals = read_originals(images, n)
    answers = {
        name: predict_changed(predictor, originals, change)[["inclination", "error"]].to_numpy()
        for name, change in CHANGES.items()
    }
    plain = answers.pop("as it is")
    usable = plain[:, 0] >= 50
    rows = []
    for name, changed in answers.items():
        moved = np.abs(changed - plain)[usable, 0]
        bars = {"before": plain[usable, 1], "after": changed[usable, 1]}
        shares = {f"within, {when}": f"{100 * np.mean(moved < bar / 2):.0f} %" for when, bar in bars.items()}
        rows.append({"": name, "median (deg)": np.median(moved), "RMS (deg)": np.sqrt(np.mean(moved**2)), **shares})
    print(pd.DataFrame(rows).round(2).to_string(index=False))
    print(f"{usable.sum()} galaxies of 50 deg and more; within: moved by less than half of the error bar")


if __name__ == "__main__":
    typer.run(main)
