"""Coverage of the error bars on simulated galaxies: python benchmarks/coverage.py [--galaxies 30000] [--size 32].

Simulates galaxies, trains `model4` on four subsamples (0–3) of their colour images, and calibrates the error bars on
the galaxies that these leave out. Prints how many of the test galaxies' inclinations lie within their error bars, by
thirds of the true and of the predicted inclination. 40 % of the galaxies are the test set, because measuring a coverage
takes many. Last, prints by how much the predictions change when some of the test images are rotated.
"""

import argparse
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from inclinet.data.samples import find_samples, read_samples
from inclinet.data.sky import sky
from inclinet.evaluation.calibrate import calibrate
from inclinet.evaluation.calibration import LEVELS, THIRDS, combine, coverage, third
from inclinet.evaluation.evaluate import predict_galaxies
from inclinet.evaluation.predictions import merge_predictions
from inclinet.networks.filenames import network_file
from inclinet.networks.infer import predict_images
from inclinet.networks.load import load_network
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


def rotate(images: np.ndarray, angle: float) -> np.ndarray:
    """Return images (N, size, size, 3) rotated about their centre by `angle` (deg), the corners filled with sky."""
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


def print_rotated(folder: Path, size: int, images: int = 1000) -> None:
    """Print by how much the predictions for test images change when the images are rotated."""
    [test] = read_samples(find_samples(folder / "samples", size, "test", 0), size).values()
    pixels = np.asarray(test.images[:images])
    networks = [load_network(folder / "models" / network_file(k, "model4")) for k in range(SUBSAMPLES + 1)]

    def median(images: np.ndarray) -> np.ndarray:
        return np.median([predict_images(network, images)[0] for network in networks], axis=0)

    unrotated = median(pixels)
    for angle in (20, 45, 70, 90):
        change = np.abs(median(rotate(pixels, angle)) - unrotated)
        print(f"rotated by {angle} deg: {change.mean():.2f} deg on average, 95 % below {np.percentile(change, 95):.2f}")


def main() -> None:
    """Print the coverage."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--galaxies", type=int, default=30_000)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument(
        "--folder", type=Path, help="working folder, which a later run resumes from; a temporary one if omitted"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        test, left_out = predict(folder, options.galaxies, options.size)
        print_rotated(folder, options.size)
    calibration = calibrate(left_out)
    if calibration is None:
        sys.exit("too few left-out galaxies to calibrate on: simulate more with --galaxies")
    print(f"calibrated on {calibration.images:,} images of {calibration.galaxies:,} galaxies")
    median = combine(test)
    error = median["inclination"] - test["inc_m"]
    print(f"RMS {np.sqrt((error**2).mean()):.2f} deg, mean error {error.mean():+.2f} deg")
    uncalibrated = (error.abs() < median["spread"]).mean()
    print(f"within the uncalibrated spread of networks and orientations: {100 * uncalibrated:.1f} %")
    intervals = calibration.intervals(median["inclination"], median["spread"])
    predicted = third(median["inclination"])
    for level, groups in coverage(intervals, test["inc_m"]).items():
        for name, group in groups.items():
            share = f"{100 * group['coverage']:.2f} %"
            print(f"{level} %  true {name:<6} {group['n']:>6}  {share}  width {group['width']:.2f} deg")
    for level in LEVELS:
        inside = (intervals[f"low{level}"] <= test["inc_m"]) & (test["inc_m"] <= intervals[f"high{level}"])
        for part, (low, high) in enumerate(pairwise(THIRDS)):
            rows = predicted == part
            print(f"{level} %  predicted {low}–{high} {rows.sum():>6}  {100 * inside[rows].mean():.2f} %")


if __name__ == "__main__":
    main()
