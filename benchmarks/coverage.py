"""Coverage of the error bars on simulated galaxies: python benchmarks/coverage.py [--galaxies 30000] [--size 32].

Simulates galaxies, trains `model4` on four subsamples (0–3) of their colour images, calibrates the error bars on the
galaxies that these leave out, and prints which share of the test galaxies' inclinations lies within them, by thirds of
the true and of the predicted inclination. 40 % of the galaxies are the test set: it takes many to know a coverage.
Last, by how much the answers change when some of the test images are turned.
"""

import argparse
import tempfile
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from inclinet.data.bands import sky
from inclinet.data.samples import find_samples, read_samples
from inclinet.evaluation.calibrate import calibrate
from inclinet.evaluation.calibration import LEVELS, THIRDS, combine, coverage, third
from inclinet.evaluation.evaluate import predict_galaxies
from inclinet.evaluation.predictions import merge_predictions
from inclinet.networks.filenames import network_file
from inclinet.networks.infer import load_network, predict_images
from inclinet.preparation.augment import augment
from inclinet.preparation.compress import compress
from inclinet.preparation.prep import prep
from inclinet.preparation.split import split
from inclinet.settings import Augment, Split, Train
from inclinet.simulation.simulate import simulate
from inclinet.training.train import train_network

SUBSAMPLES, BATCHES = 3, 6
TRAIN = Train(N_batch_iter=4)


def predict(folder: Path, galaxies: int, size: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the predictions for the test set and for the left-out galaxies."""
    if not (folder / "catalog.csv").is_file():
        simulate(galaxies, folder, size=64, seed=11)
    if not (folder / "models").is_dir():
        prepared = prep(folder, folder / "catalog.csv", "gri", size=size, outfolder=folder)
        compress(prepared.folder, folder, size=size)
        split(folder, folder / "samples", size=size, settings=Split(niter=SUBSAMPLES, test_fraction=0.4))
        how = Augment(nbatch=BATCHES, batchsize=500)
        augment(folder / "samples", folder / "augmented", size=size, niter=SUBSAMPLES, settings=how)
    for k in range(SUBSAMPLES + 1):
        places = folder / "augmented", folder / "samples", folder / "models"
        train_network(*places, subsample=k, size=size, nbatch=BATCHES, settings=TRAIN)
    test, left_out = predict_galaxies(folder / "models", folder / "samples", size=size)
    return test, merge_predictions(left_out.values())


def turn(images: np.ndarray, angle: float) -> np.ndarray:
    """Return images turned about their centre by so many deg, the corners filled with sky."""
    size = images.shape[1]
    matrix = cv2.getRotationMatrix2D(((size - 1) / 2, (size - 1) / 2), angle, 1.0)
    how = {"flags": cv2.INTER_CUBIC, "borderMode": cv2.BORDER_CONSTANT}
    levels = sky(images).tolist()
    return np.stack(
        [
            cv2.warpAffine(one, matrix, (size, size), borderValue=level, **how)
            for one, level in zip(images, levels, strict=True)
        ]
    )


def print_turned(folder: Path, size: int, images: int = 1000) -> None:
    """Print how far the answers to turned test images are from those to the images as they are."""
    [test] = read_samples(find_samples(folder / "samples", size, "test", 0), size).values()
    pixels = np.asarray(test.images[:images])
    networks = [load_network(folder / "models" / network_file(k, "model4")) for k in range(SUBSAMPLES + 1)]

    def median(of: np.ndarray) -> np.ndarray:
        return np.median([predict_images(network, of)[0] for network in networks], axis=0)

    straight = median(pixels)
    for angle in (20, 45, 70, 90):
        change = np.abs(median(turn(pixels, angle)) - straight)
        print(f"turned by {angle} deg: {change.mean():.2f} deg on average, 95 % below {np.percentile(change, 95):.2f}")


def main() -> None:
    """Print the coverage."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--galaxies", type=int, default=30_000)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--folder", type=Path, help="where to work, and to go on; a temporary one if omitted")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        test, left_out = predict(folder, options.galaxies, options.size)
        print_turned(folder, options.size)
    calibration = calibrate(left_out)
    print(f"calibrated on {calibration.images:,} images of {calibration.galaxies:,} galaxies")
    together = combine(test)
    error = together["inclination"] - test["inc_m"]
    print(f"RMS {np.sqrt((error**2).mean()):.2f} deg, mean error {error.mean():+.2f} deg")
    plain = (error.abs() < together["spread"]).mean()
    print(f"within the plain spread of networks and orientations: {100 * plain:.1f} %")
    intervals = calibration.intervals(together["inclination"], together["spread"])
    predicted = third(together["inclination"])
    for level, groups in coverage(intervals, test["inc_m"]).items():
        for name, of in groups.items():
            print(f"{level} %  true {name:<6} {of['n']:>6}  {100 * of['coverage']:.2f} %  width {of['width']:.2f} deg")
    for level in LEVELS:
        inside = (intervals[f"low{level}"] <= test["inc_m"]) & (test["inc_m"] <= intervals[f"high{level}"])
        for part, (low, high) in enumerate(pairwise(THIRDS)):
            rows = predicted == part
            print(f"{level} %  predicted {low}–{high} {rows.sum():>6}  {100 * inside[rows].mean():.2f} %")


if __name__ == "__main__":
    main()
