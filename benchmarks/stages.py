"""Throughput of the stages on this machine: python benchmarks/stages.py [--galaxies 200] [--size 128].

Simulates galaxies, runs each stage once on local files, and prints images per second.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from os import cpu_count
from pathlib import Path

from inclinet.data.bands import BANDS
from inclinet.data.filenames import band_folder
from inclinet.data.samples import Batch, find_samples, read_samples
from inclinet.preparation.augment import augment_batch
from inclinet.preparation.compress import compress
from inclinet.preparation.prep import prep
from inclinet.preparation.split import split
from inclinet.settings import Split, Train
from inclinet.simulation.simulate import simulate
from inclinet.training.step import NetworkStepper


@contextmanager
def timed(name: str, images: int) -> Iterator[None]:
    """Print the images per second of the block, which works through `images` of them."""
    start = time.perf_counter()
    yield
    seconds = time.perf_counter() - start
    print(f"{name:<28} {images:>7} images {seconds:>8.2f} s {images / seconds:>10.1f} images/s", flush=True)


def prepare(folder: Path, galaxies: int, size: int) -> None:
    """Measure the stages from simulation to split, and leave the samples in `folder`."""
    images = len(BANDS) * galaxies
    with timed("simulate (512 pixels)", images):
        catalog = simulate(galaxies, folder, size=512)
    with timed("prep (512 pixels)", images):
        for band in BANDS:
            prep(folder, catalog, band, size=size, outfolder=folder)
    with timed("compress", images):
        for band in BANDS:
            compress(folder / band_folder(size, band), folder, size=size)
    with timed("split, 3 subsamples", images):
        split(folder, folder, size=size, settings=Split())


def augment(folder: Path, size: int, batchsize: int) -> Batch:
    """Measure how long one stored batch takes to make and to write; returns it."""
    samples = read_samples(find_samples(folder, size, "train", 0), size)
    for workers in sorted({1, cpu_count() or 1}):
        with timed(f"augment, {workers} workers", 18 * batchsize):
            batch = augment_batch(samples, batchsize, [0], workers=workers)
    with timed("write a stored batch", len(batch.labels)):
        batch.write(folder / "batch.npz")
    return batch


def train(batch: Batch, size: int) -> None:
    """Measure the second step of model4 on part of a batch."""
    n = min(1280, len(batch.labels))
    part = Batch(batch.images[:n], batch.labels[:n], batch.pgcs[:n], batch.filters[:n])
    stepper = NetworkStepper("model4", size, 2, Train())
    stepper.advance(part)
    with timed("train model4, mini-batch 64", n):
        stepper.advance(part)


def main() -> None:
    """Measure every stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--galaxies", type=int, default=200)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batchsize", type=int, default=1000, help="images per bin and colour class")
    options = parser.parse_args()
    print(f"{cpu_count()} cores, {options.galaxies} galaxies, size {options.size}")
    with tempfile.TemporaryDirectory() as name:
        prepare(Path(name), options.galaxies, options.size)
        train(augment(Path(name), options.size, options.batchsize), options.size)


if __name__ == "__main__":
    main()
