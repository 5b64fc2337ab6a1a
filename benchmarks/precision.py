"""Does bfloat16 cost accuracy? python benchmarks/precision.py [--seeds 4] [--steps 60] [--size 24].

Trains model4 on simulated galaxies with each precision and several seeds, and prints the mean absolute error on the
left-out galaxies after the same number of steps, so that the precisions can be compared with the scatter of the seeds.
`KERAS_BACKEND=jax` selects the other backend, which is faster at this where the CPU has no native bfloat16.
"""

import argparse
import tempfile
from pathlib import Path

import keras
import numpy as np

from inclinet.data.bands import BANDS
from inclinet.data.filenames import batch_file, batch_folder
from inclinet.data.inclination import UNIT
from inclinet.data.samples import Batch
from inclinet.preparation.augment import augment, left_out_batch
from inclinet.preparation.compress import compress
from inclinet.preparation.prep import prep
from inclinet.preparation.split import split
from inclinet.settings import Augment, Split, Train
from inclinet.simulation.simulate import simulate
from inclinet.training.step import NetworkStepper

BATCHSIZE, NBATCH = 40, 5


def prepare(folder: Path, size: int) -> tuple[list[Batch], Batch]:
    """Return stored batches and the augmented left-out galaxies of 300 simulated galaxies."""
    catalog = simulate(300, folder, size=128)
    for band in BANDS:
        compress(prep(folder, catalog, band, size=size, outfolder=folder).folder, folder, size=size)
    split(folder, folder, size=size, settings=Split(niter=0))
    augment(folder, folder, size=size, niter=0, settings=Augment(nbatch=NBATCH, batchsize=BATCHSIZE))
    batches = [Batch.read(folder / batch_folder(0) / batch_file(size, b)) for b in range(1, NBATCH + 1)]
    left_out = left_out_batch(folder, size, 0, 8 * BATCHSIZE)
    if left_out is None:
        raise RuntimeError("300 galaxies leave none out")
    return batches, left_out


def error(batches: list[Batch], left: Batch, size: int, steps: int, seed: int, precision: str) -> float:
    """Return the mean absolute error (deg) on the left-out galaxies after `steps` steps."""
    stepper = NetworkStepper("model4", size, steps, Train(seed=seed), precision)
    for step in range(steps):
        stepper.advance(batches[step % NBATCH])
    return UNIT * stepper.measure(left)["mae"]


def main() -> None:
    """Train every seed with each precision."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--size", type=int, default=24)
    options = parser.parse_args()
    print(f"model4, {options.size} pixels, {options.steps} steps, Keras on {keras.backend.backend()}")
    with tempfile.TemporaryDirectory() as name:
        batches, left = prepare(Path(name), options.size)
        for precision in ("float32", "bfloat16"):
            errors = [
                error(batches, left, options.size, options.steps, seed, precision) for seed in range(options.seeds)
            ]
            listed = ", ".join(f"{value:.2f}" for value in errors)
            print(f"{precision}: {np.mean(errors):.2f} ± {np.std(errors, ddof=1):.2f} deg ({listed})", flush=True)


if __name__ == "__main__":
    main()
