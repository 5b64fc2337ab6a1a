"""Error of each architecture after the same time on the same stored batches, as a Markdown table.

python benchmarks/architectures.py FOLDER [--minutes 3] [--folds 1 2]

FOLDER is one that `inclinet full --folds` left. For each fold, every architecture is trained from random weights on the
fold's stored batches, by its own recipe (README's for `residual`, the published one for model4, 5 and 6), in as many
steps as fit into the minutes, and predicts the galaxies of the fold.
"""

import argparse
import logging
import math
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import keras
import pandas as pd
from tables import error_cells, print_header, print_row

from inclinet.data.filenames import batch_folder
from inclinet.data.samples import Batch, find_samples, read_samples
from inclinet.networks.architectures import MODELS
from inclinet.networks.infer import predict_samples
from inclinet.networks.load import load_network
from inclinet.settings import Train
from inclinet.training.train import train_network

PUBLISHED: dict[str, Any] = {"optimizer": "adam", "loss": "mse", "warm_up": 0}
RATES = {"residual": 2e-3}


def recipe(model: str, passes: int) -> Train:
    """Return the settings of a training."""
    own = {"learning_rate": RATES[model]} if model in RATES else PUBLISHED
    return Train(models=(model,), N_batch_iter=passes, **own)


def train(folder: Path, fold: int, model: str, out: Path, steps: int) -> tuple[Path, float]:
    """Train a network in about so many steps; returns its file and the seconds that it took."""
    stored = len(list((folder / "augmented" / batch_folder(fold)).glob("*.npz")))
    passes = math.ceil(steps / stored)
    size = Batch.read(next((folder / "augmented" / batch_folder(fold)).glob("*.npz"))).images.shape[1]
    begin = time.monotonic()
    file = train_network(
        folder / "augmented",
        folder / "samples",
        out,
        model=model,
        subsample=fold,
        size=size,
        nbatch=round(steps / passes),
        settings=recipe(model, passes),
    )
    return file, time.monotonic() - begin


def fit_steps(folder: Path, fold: int, model: str, seconds: float) -> int:
    """Return how many steps of a network fit into a time."""
    took = []
    for steps in (1, 2):
        with tempfile.TemporaryDirectory() as out:
            took.append(train(folder, fold, model, Path(out), steps)[1])
    step = max(took[1] - took[0], 1e-3)
    return max(1, int(1 + (seconds - took[0]) / step))


def predict(folder: Path, fold: int, file: Path) -> pd.DataFrame:
    """Return the predictions for the galaxies of a fold."""
    network = load_network(file)
    size = int(keras.models.load_model(file).input_shape[1])
    rest = read_samples(find_samples(folder / "samples", size, "test", fold), size)
    return predict_samples(network, rest, "answer")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--folds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    options = parser.parse_args()
    for name in ("inclinet", "tensorflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    print_header(["network", "weights", "steps", "minutes", "RMS (95 %)", "MAE", "bias"], left=1)
    for model in options.models:
        out = Path(tempfile.mkdtemp())
        steps, tables, seconds, weights = [], [], 0.0, 0
        for fold in options.folds:
            steps.append(fit_steps(options.folder, fold, model, 60 * options.minutes))
            file, took = train(options.folder, fold, model, out, steps[-1])
            seconds, weights = seconds + took, keras.models.load_model(file).count_params()
            tables.append(predict(options.folder, fold, file))
        shutil.rmtree(out)
        table = pd.concat(tables)
        minutes = f"{seconds / 60 / len(options.folds):.1f}"
        errors = error_cells(table["answer"], table["inc_m"], table["pgc"])
        print_row([model, f"{weights:,}", "/".join(map(str, steps)), minutes, *errors])


if __name__ == "__main__":
    main()
