"""What test_backends.py runs on another backend, in a process of its own."""

import resource
import sys
from pathlib import Path

import keras
import numpy as np
import psutil

from inclinet.data.filenames import batch_file, batch_folder
from inclinet.data.samples import Batch
from inclinet.errors import InclinetError
from inclinet.networks.save import save_network
from inclinet.settings import Train
from inclinet.storage.store import FolderStore
from inclinet.training.step import NetworkStepper
from tests.inclinet.training.killed import SIZE, training


def save(stored: str, run: str, out: str) -> None:
    """Finish the network of a run; save it, and its outputs for noise."""
    with training(Path(stored), FolderStore(Path(run))) as live:
        network = live.finish()
    save_network(network, Path(out) / "network.keras")
    pixels = np.random.default_rng(0).integers(0, 256, (5, SIZE, SIZE, 3), dtype=np.uint8)
    np.save(Path(out) / "pixels.npy", pixels)
    np.save(Path(out) / "predictions.npy", keras.ops.convert_to_numpy(network(pixels, training=False)))


def compare(stored: str, out: str) -> None:
    """Take three steps without dropout on all devices; save the number of devices and the losses."""
    stepper = NetworkStepper("model4", SIZE, 3, Train(training_batch_size=24, learning_rate=1e-4))
    for layer in stepper.network.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    batch = Batch.read(Path(stored) / batch_folder(0) / batch_file(SIZE, 1))
    losses = [stepper.advance(batch)["loss"] for _ in range(3)]
    np.save(out, [len(keras.distribution.list_devices()), *losses])


def exhaust() -> None:
    """Take a step that needs more memory than this process may have; prints the error."""
    n = 2048
    batch = Batch(np.zeros((n, 64, 64, 3), np.uint8), np.full(n, 60), np.arange(n), np.full(n, b"c"))
    stepper = NetworkStepper("model4", 64, 1, Train(training_batch_size=n))
    taken = psutil.Process().memory_info().vms
    resource.setrlimit(resource.RLIMIT_AS, (taken + 400 * 2**20,) * 2)
    try:
        stepper.advance(batch)
    except InclinetError as error:
        print(error)


if __name__ == "__main__":
    {"save": save, "compare": compare, "exhaust": exhaust}[sys.argv[1]](*sys.argv[2:])
