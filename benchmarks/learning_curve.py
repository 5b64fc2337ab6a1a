"""Error against the number of labelled galaxies, with and without a start, as a Markdown table.

python benchmarks/learning_curve.py --images GALAXIES --catalog CATALOG [--start VERSION|FILE] [--store STORE]

The labelled galaxies are divided into folds. For every row, some of them are drawn; in each fold, a network is trained
on those drawn from the other folds, and predicts all galaxies of the fold. So every row is tested on all galaxies, each
predicted by a network that was not trained on it. A row of more galaxies holds those of the rows before.

With --folder, an interrupted run goes on where it stopped.
"""

import argparse
import logging
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tables import error_cells, print_header, print_row

from inclinet.data.filenames import batch_file, batch_folder, sample_file
from inclinet.data.samples import Samples, find_samples, read_samples
from inclinet.evaluation.evaluate import predict_galaxies
from inclinet.evaluation.folds import pool_folds
from inclinet.evaluation.metrics import ensemble_predictions
from inclinet.networks.filenames import network_file
from inclinet.preparation.augment import training_batch
from inclinet.preparation.compress import compress
from inclinet.preparation.prep import prep
from inclinet.preparation.split import hash_fraction, split
from inclinet.registry.start import find_starts
from inclinet.settings import Augment, Sample, Split, Train
from inclinet.storage.digests import json_digest
from inclinet.storage.npz import write_arrays
from inclinet.training.filenames import checkpoint_folder
from inclinet.training.start import MAY_HAVE_SEEN, Start, check_leaks
from inclinet.training.train import train_network

LABELLED = [0, 30, 100, 300, 500]


def prepare(folder: Path, options: argparse.Namespace) -> Path:
    """Make the samples of every fold; returns their folder."""
    samples = folder / "samples"
    if samples.is_dir():
        return samples
    sample = Sample(imroot=options.imroot, bands=options.bands, framing=options.framing)
    for band in sample.bands:
        images, where = options.images, folder / "small"
        how: dict[str, Any] = {"imroot": sample.imroot, "size": options.size, "framing": sample.framing}
        done = prep(images, options.catalog, band, outfolder=where, **how)
        compress(done.folder, folder / "packed", size=options.size)
    with tempfile.TemporaryDirectory(dir=folder) as part:
        split(folder / "packed", Path(part) / "samples", size=options.size, settings=Split(folds=options.folds))
        (Path(part) / "samples").rename(samples)
    return samples


def draw(samples: Path, size: int, labelled: int) -> np.ndarray:
    """Return the PGC numbers of `labelled` galaxies, or of all if there are fewer; the first ones drawn stay."""
    everyone = read_samples(find_samples(samples, size, "train", 0), size)
    pgcs = np.unique(np.concatenate([sample.pgcs for sample in everyone.values()]))
    order = np.argsort([hash_fraction(pgc, 0, "learning curve") for pgc in pgcs.tolist()])
    return pgcs[order[:labelled]]


def reduce_samples(samples: Path, size: int, fold: int, drawn: np.ndarray, out: Path) -> dict[str, Samples]:
    """Write the sample files of a fold, with none but the drawn galaxies in its training set; returns that set."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for band, path in find_samples(samples, size, "train", fold).items():
        for side in (("test", 0), ("test", fold)):
            shutil.copyfile(samples / sample_file(band, size, *side), out / sample_file(band, size, *side))
        for sample in read_samples({band: path}, size).values():
            rows = np.isin(sample.pgcs, drawn)
            arrays = {"images": sample.images[rows], "labels": sample.labels[rows], "pgcIDs": sample.pgcs[rows]}
            write_arrays(out / sample_file(band, size, "train", fold), arrays)
    return read_samples(find_samples(out, size, "train", fold), size)


def train_fold(
    samples: Path, fold: int, drawn: np.ndarray, models: Path, options: argparse.Namespace, start: Start | None
) -> int:
    """Train the network of one fold on the drawn galaxies, unless it exists; returns how many these are."""
    size, out = options.size, models / f"fold-{fold}"
    training = reduce_samples(samples, size, fold, drawn, out / "samples")
    galaxies = len(np.unique(np.concatenate([sample.pgcs for sample in training.values()])))
    if not (models / network_file(fold, options.model)).is_file():
        augment = Augment(nbatch=options.nbatch, batchsize=options.batchsize)
        for number in range(1, augment.nbatch + 1):
            batch = training_batch(training, fold, number, augment)
            batch.write(out / batch_folder(fold) / batch_file(size, number))
        train_network(
            out,
            out / "samples",
            models,
            model=options.model,
            subsample=fold,
            size=size,
            nbatch=augment.nbatch,
            settings=settings_of(options, start),
            start=start,
        )
        shutil.rmtree(models / checkpoint_folder(fold, options.model))
    shutil.rmtree(out)
    return galaxies


def settings_of(options: argparse.Namespace, start: Start | None) -> Train:
    """Return the settings of a training, with or without a start."""
    passes, rate = (options.start_passes, options.start_rate) if start else (options.passes, options.rate)
    return Train(
        models=(options.model,), N_batch_iter=passes, learning_rate=rate, seed=options.seed, precision=options.precision
    )


def predict_untrained(samples: Path, folder: Path, options: argparse.Namespace, start: Start) -> pd.DataFrame:
    """Return the predictions of the network to start from for all galaxies."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "samples").mkdir(parents=True)
    for band, path in find_samples(samples, options.size, "train", 0).items():
        shutil.copyfile(path, folder / "samples" / sample_file(band, options.size, "test", 0))
    shutil.copyfile(start.file, folder / network_file(0, options.model))
    return predict_galaxies(folder, folder / "samples", size=options.size)[0]


def measure(
    samples: Path, folder: Path, labelled: int, options: argparse.Namespace, start: Start | None
) -> tuple[pd.DataFrame | None, str]:
    """Return the predictions with some labelled galaxies, None if there is nothing to predict with.

    The text says how many galaxies the networks were trained on.
    """
    if not labelled:
        return (predict_untrained(samples, folder, options, start) if start else None), "0"
    drawn = draw(samples, options.size, labelled)
    trained = [train_fold(samples, k, drawn, folder, options, start) for k in range(1, options.folds + 1)]
    _, left_out = predict_galaxies(folder, samples, size=options.size)
    counts = sorted(set(trained))
    return pool_folds(left_out), f"{counts[0]}" if len(counts) == 1 else f"{counts[0]}–{counts[-1]}"


def cells(table: pd.DataFrame | None) -> list[str]:
    """Return the metrics of predictions as cells: RMS with its interval, MAE, bias."""
    if table is None:
        return ["–"] * 3
    return error_cells(ensemble_predictions(table)["median of all"], table["inc_m"], table["pgc"])


def build_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of the options for training and testing in folds."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--catalog", type=Path, required=True)
    parser.add_argument("--imroot", default="d25x1.25")
    parser.add_argument("--bands", nargs="+", default=["gri"])
    parser.add_argument("--framing", default=Sample().framing, choices=["measured", "given"])
    parser.add_argument("--start", default="", help="version, or file of a network; without it, half of the table")
    parser.add_argument("--store", help="store of the version; by default INCLINET_STORE")
    parser.add_argument("--model", default=Train().models[0])
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--folds", type=int, default=5, choices=range(2, 6))
    parser.add_argument("--labelled", type=int, nargs="+", default=LABELLED)
    parser.add_argument("--nbatch", type=int, default=10, help="stored batches of each fold")
    parser.add_argument("--batchsize", type=int, default=100, help="images per bin and colour class")
    parser.add_argument("--passes", type=int, default=8, help="passes from random weights")
    parser.add_argument("--start-passes", type=int, default=6, help="passes from the start")
    parser.add_argument("--rate", type=float, default=Train().learning_rate, help="learning rate from random weights")
    parser.add_argument("--start-rate", type=float, default=5e-4, help="learning rate from the start")
    parser.add_argument("--precision", default=Train().precision)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="working folder, which a later run resumes from")
    return parser


def name_of(options: argparse.Namespace, start: Start | None) -> str:
    """Return a name for the curve of these options: networks of other ones must not be taken for its own."""
    without_effect = {"folder", "labelled", "store"}
    made_from = {name: str(value) for name, value in vars(options).items() if name not in without_effect}
    made_from["start"] = start.record.sha256 if start else ""
    return json_digest(made_from)[:12]


def run(folder: Path, options: argparse.Namespace, start: Start | None) -> None:
    """Print the table."""
    samples = prepare(folder, options)
    everyone = draw(samples, options.size, 10**9)
    if start:
        check_leaks(start.record, everyone)
        if start.record.galaxies is None:
            print(f"Beware: {MAY_HAVE_SEEN}.\n")
    starts = {"random": None, "start": start} if start else {"random": None}
    print(f"{options.model} at {options.size} pixels, {options.folds} folds, tested on {len(everyone)} galaxies (deg)")
    columns = ["RMS (95 %)", "MAE", "bias"]
    header = [f"{column}, from {name}" for name in starts for column in columns]
    print_header(["labelled", "trained on", *header, "minutes"], left=0)
    for labelled in options.labelled:
        begin, measured, trained = time.monotonic(), [], ""
        for name, first in starts.items():
            table, trained = measure(samples, folder / name / str(labelled), labelled, options, first)
            measured += cells(table)
        print_row([labelled, trained, *measured, f"{(time.monotonic() - begin) / 60:.0f}"])


def main() -> None:
    """Print the learning curve."""
    options = build_parser(__doc__).parse_args()
    # That there is no test set is known, and what a start may have seen stands above the table.
    for name in ("inclinet.training", "tensorflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    start = find_starts(options.start, [options.model], options.size, options.store).get(options.model)
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)) / name_of(options, start)
        folder.mkdir(parents=True, exist_ok=True)
        run(folder, options, start)


if __name__ == "__main__":
    main()
