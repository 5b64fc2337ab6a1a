"""Stage train: advance networks through their stored batches, one at a time, over local files."""

import json
import logging
import shutil
import time
from pathlib import Path

from inclinet.arrays import checksum
from inclinet.augment import validation_batch
from inclinet.batches import Batch, batchsize_of, find_samples, read_samples
from inclinet.errors import InclinetError
from inclinet.files import write_text
from inclinet.naming import (
    batch_file,
    batch_folder,
    checkpoint_folder,
    figure_file,
    metrics_file,
    network_file,
    parse_snapshot,
    snapshot_file,
)
from inclinet.plots import training_curves
from inclinet.progress import Track, silent
from inclinet.schedule import batch_of_step
from inclinet.settings import Train
from inclinet.trainer import Trainer, save_network

__all__ = ["read_validation", "train", "write_metrics"]

logger = logging.getLogger(__name__)

_SECONDS_BETWEEN_FIGURES = 10


def write_metrics(path: Path, metrics: dict[str, dict]) -> Path:
    """Write the metrics of all steps as JSON."""
    return write_text(path, json.dumps(metrics, indent=1))


def _check_continues(folder: Path, model: str, size: int, batches: list[Path], settings: Train) -> None:
    """Refuse to continue a run of other settings or batches; the number of passes may grow."""
    settings_file = folder / "settings.json"
    mine = {"model": model, "size": size, "batches": [checksum(path) for path in batches]}
    mine |= settings.model_dump(mode="json", exclude={"models", "N_batch_iter"})
    if settings_file.is_file():
        theirs = json.loads(settings_file.read_text())
        changed = [name for name in mine if theirs.get(name) != mine[name]]
        if changed:
            what = [f"{name} {theirs.get(name)} → {mine[name]}" for name in changed if name != "batches"]
            what += ["other stored batches"] if "batches" in changed else []
            raise InclinetError(
                f"{folder}: was trained with other settings ({', '.join(what)}); give those, or another "
                "--outModels, or --restart to begin anew"
            )
    write_text(settings_file, json.dumps(mine, indent=1))


def _last_snapshot(folder: Path) -> Path | None:
    snapshots = [path for path in folder.iterdir() if parse_snapshot(path.name)]
    return max(snapshots, key=lambda path: parse_snapshot(path.name), default=None)


def _batches(augmented: Path, subsample: int, size: int, nbatch: int) -> list[Path]:
    paths = [augmented / batch_folder(subsample) / batch_file(size, b) for b in range(1, nbatch + 1)]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise InclinetError(
            f"{missing[0]}: no such stored batch (options --augmented, --size, --nbatch, --niter); "
            "run `inclinet augment` first"
        )
    return paths


def read_validation(samples: Path, size: int, like: Path) -> Batch | None:
    """Return the augmented test set, an eighth the size of the batch `like`; None without a galaxy."""
    test = read_samples(find_samples(samples, size, "test", 0), size)
    if not test:
        logger.warning("%s: no galaxy in the test set; no validation metrics", samples)
        return None
    return validation_batch(test, batchsize_of(Batch.read(like)))


def train(
    augmented: Path,
    samples: Path,
    outmodels: Path,
    *,
    model: str = "model4",
    subsample: int = 0,
    size: int = 128,
    nbatch: int = 3,
    settings: Train | None = None,
    restart: bool = False,
    track: Track = silent,
) -> Path:
    """Train one network on the stored batches of one subsample; returns the trained network's file.

    Writes, in `outmodels`, a snapshot for each step, the metrics JSON, their figure, and at the end the
    network. Takes up an interrupted run from its last snapshot.

    Raises
    ------
    InclinetError
        When batches or samples are missing, settings contradict the run to continue, or the loss diverges.
    """
    settings = settings or Train()
    paths = _batches(augmented, subsample, size, nbatch)
    steps = nbatch * settings.N_batch_iter
    trainer = Trainer(model, size, steps, settings)
    folder = outmodels / checkpoint_folder(subsample, model)
    if restart:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    _check_continues(folder, model, size, paths, settings)
    metrics: dict[str, dict] = {}
    if snapshot := _last_snapshot(folder):
        trainer.load(snapshot)
        recorded = json.loads((outmodels / metrics_file(subsample, model)).read_text())
        metrics = {str(s): recorded[str(s)] for s in range(1, trainer.step + 1)}
        logger.info("continuing %s from %s", model, snapshot)
    validation = read_validation(samples, size, paths[0])
    figure = outmodels / figure_file(subsample, model)
    title = f"{model}, subsample {subsample}"
    drawn = 0.0
    todo = range(trainer.step + 1, steps + 1)
    for step in track(todo, f"train {model}-{subsample}", len(todo)):
        number = batch_of_step(step, nbatch, settings.seed)
        path = paths[number - 1]
        metrics[str(step)] = trainer.advance(Batch.read(path), validation) | {
            "batchNo": number,
            "batchFile": path.name,
        }
        # Metrics first: a snapshot is never without those of its own step.
        write_metrics(outmodels / metrics_file(subsample, model), metrics)
        trainer.save(folder / snapshot_file(step))
        if time.monotonic() - drawn > _SECONDS_BETWEEN_FIGURES:
            training_curves(metrics, figure, title)
            drawn = time.monotonic()
    training_curves(metrics, figure, title)
    return save_network(trainer.network, outmodels / network_file(subsample, model))
