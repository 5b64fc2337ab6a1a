"""Throughput of predicting on this machine: python benchmarks/predict.py IMAGES [--store STORE].

Predicts a folder of images twice with the version in use: the first time includes what networks set up when first used.
Before that, each of its networks is shown random pixels, so many views at a time.
"""

import argparse
import time

import numpy as np

from inclinet.networks.infer import ORIENTATIONS
from inclinet.prediction.predictor import Predictor, open_predictor
from inclinet.prediction.sources import find_sources

VIEWS = (8, 32, 64, 128, 256, 512)


def print_views(predictor: Predictor) -> None:
    """Print how many images a second the networks see, with as many views at a time as `VIEWS` says."""
    pixels = np.random.default_rng(0).integers(0, 256, (max(VIEWS), predictor.size, predictor.size, 3), np.uint8)
    for views in VIEWS:
        done, start = 0, time.perf_counter()
        while (seconds := time.perf_counter() - start) < 4:
            for network in predictor.networks.values():
                network(pixels[:views])
            done += views
        print(f"{views:>4} views at a time {done / len(ORIENTATIONS) / seconds:>8.1f} images/s")


def main() -> None:
    """Print images per second."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", help="folder, catalogue or s3:// address")
    parser.add_argument("--store", help="artifact store; INCLINET_STORE if omitted")
    options = parser.parse_args()
    start = time.perf_counter()
    predictor = open_predictor(options.store)
    print(
        f"{len(predictor.networks)} networks of {predictor.size} pixels loaded in {time.perf_counter() - start:.1f} s"
    )
    print_views(predictor)
    sources = find_sources([options.images])
    for turn in ("first", "second"):
        start = time.perf_counter()
        predictor.predict(sources)
        seconds = time.perf_counter() - start
        print(f"{turn:<7} {len(sources):>7} images {seconds:>8.2f} s {len(sources) / seconds:>8.1f} images/s")


if __name__ == "__main__":
    main()
