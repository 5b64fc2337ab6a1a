"""Throughput of predicting on this machine: python benchmarks/predict.py IMAGES [--store STORE].

Predicts a folder of images twice with the version in use: the first time includes what networks set up when first used.
"""

import argparse
import time

from inclinet.prediction.predictor import open_predictor
from inclinet.prediction.sources import find_sources


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
    sources = find_sources([options.images])
    for turn in ("first", "second"):
        start = time.perf_counter()
        predictor.predict(sources)
        seconds = time.perf_counter() - start
        print(f"{turn:<7} {len(sources):>7} images {seconds:>8.2f} s {len(sources) / seconds:>8.1f} images/s")


if __name__ == "__main__":
    main()
