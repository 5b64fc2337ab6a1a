"""How many of the answers that a change of the image moves by more than two error bars carry a flag.

python -m benchmarks.perturbations IMAGES [--store STORE] [--version VERSION] [-n 100]
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import pandas as pd
import typer

from benchmarks.framing import crop, pad, predict_changed, read_originals, shift
from inclinet.prediction.predictor import Predictor

DOUBTS = "unlike|rounder|flatter|hidden|larger|no galaxy|not predicted|nearly face-on"


def levels(values: np.ndarray) -> np.ndarray:
    """Return values as grey levels."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def power(gamma: float) -> Callable[[np.ndarray], np.ndarray]:
    """Return the change of contrast by an exponent."""
    return lambda pixels: levels(255 * (pixels / 255) ** gamma)


def noisy(scale: float) -> Callable[[np.ndarray], np.ndarray]:
    """Return the addition of noise."""
    return lambda pixels: levels(pixels + np.random.default_rng(0).normal(0, scale, pixels.shape))


def covered(pixels: np.ndarray) -> np.ndarray:
    """Return the image with a third of it white."""
    result = pixels.copy()
    result[:, : len(pixels) // 3] = 255
    return result


def spoiled(pixels: np.ndarray) -> np.ndarray:
    """Return the image after a JPEG compression of the lowest quality."""
    return cv2.imdecode(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 8])[1], cv2.IMREAD_COLOR)


def striped(pixels: np.ndarray) -> np.ndarray:
    """Return the image with two of eight lines black."""
    return np.where((np.arange(len(pixels)) % 8 < 2)[:, None, None], 0, pixels).astype(np.uint8)


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "nothing": lambda pixels: pixels,
    "gamma 0.3": power(0.3),
    "gamma 0.5": power(0.5),
    "gamma 1.5": power(1.5),
    "gamma 2.5": power(2.5),
    "40 levels added": lambda pixels: levels(pixels + 40.0),
    "90 levels added": lambda pixels: levels(pixels + 90.0),
    "30 levels taken away": lambda pixels: levels(pixels - 30.0),
    "2.5 times as bright": lambda pixels: levels(2.5 * pixels),
    "0.4 times as bright": lambda pixels: levels(0.4 * pixels),
    "bright to one side": lambda pixels: levels(pixels + np.linspace(0, 90, pixels.shape[1])[None, :, None]),
    "noise of 30 levels": noisy(30),
    "noise of 60 levels": noisy(60),
    "blurred by 2 %": lambda pixels: cv2.GaussianBlur(pixels, (0, 0), 0.02 * len(pixels)),
    "blurred by 4 %": lambda pixels: cv2.GaussianBlur(pixels, (0, 0), 0.04 * len(pixels)),
    "24 pixels a side": lambda pixels: cv2.resize(pixels, (24, 24), interpolation=cv2.INTER_AREA),
    "JPEG of quality 8": spoiled,
    "four grey levels": lambda pixels: pixels // 64 * 64,
    "black lines": striped,
    "cropped to 60 %": lambda pixels: crop(pixels, 0.6),
    "cropped to 40 %": lambda pixels: crop(pixels, 0.4),
    "padded to 200 %": lambda pixels: pad(pixels, 2.0),
    "padded to 300 %": lambda pixels: pad(pixels, 3.0),
    "shifted by 20 %": lambda pixels: shift(pixels, 0.2),
    "a third white": covered,
    "squeezed to 60 %": lambda pixels: cv2.resize(pixels, None, fx=1, fy=0.6),
}


def main(
    images: Path,
    store: Annotated[str | None, typer.Option()] = None,
    version: Annotated[str | None, typer.Option()] = None,
    n: Annotated[int, typer.Option("-n")] = 100,
) -> None:
    """Print how many answers moved, and how many of those are flagged."""
    predictor = Predictor.open(store, version)
    originals = read_originals(images, n)
    plain = predict_changed(predictor, originals, CHANGES["nothing"])
    was_low = plain["flag"].str.contains("nearly face-on")
    rows = []
    for name, change in CHANGES.items():
        changed = predict_changed(predictor, originals, change)
        moved = (changed["inclination"] - plain["inclination"]).abs()
        far = (moved > 2 * plain["error"]) & (plain["inclination"] >= 50)
        doubted = changed["flag"].str.contains(DOUBTS)
        doubted &= ~(was_low & ~changed["flag"].str.contains(DOUBTS.replace("|nearly face-on", "")))
        counts = {"moved": far.sum(), "flagged of those": (far & doubted).sum(), "flagged of all": doubted.sum()}
        rows.append({"": name, "RMS (deg)": round(float(np.sqrt((moved**2).mean())), 2), **counts})
    table = pd.DataFrame(rows)
    print(table.to_string(index=False))
    fair = table[table[""] != "squeezed to 60 %"]
    for title, part in (("all", table), ("without the squeezed, which are pictures of other inclinations", fair)):
        share = part["flagged of those"].sum() / part["moved"].sum()
        print(f"{share:.0%} of those that moved by more than two error bars carry a flag ({title})")


if __name__ == "__main__":
    typer.run(main)
