"""Stage train: advance a network through its stored batches, one at a time, over local files."""

import json
import logging
import shutil
from pathlib import Path

from inclinet.data.filenames import batch_file, batch_folder
from inclinet.data.samples import Batch, batchsize_of, find_samples, read_samples
from inclinet.errors import InclinetError
from inclinet.networks.filenames import network_file
from inclinet.preparation.augment import left_out_batch, validation_batch
from inclinet.progress import Track, silent
from inclinet.settings import Train
from inclinet.storage.atomic import write_text
from inclinet.storage.npz import checksum, read_arrays
from inclinet.storage.store import FolderStore
from inclinet.training.filenames import checkpoint_folder
from inclinet.training.run import Plan, TrainingRun
from inclinet.training.step import save_network

__all__ = ["train"]

logger = logging.getLogger(__name__)


def _check_continues(folder: Path, plan: Plan, batches: list[Path]) -> None:
    """Refuse to continue a run of other settings or batches."""
    settings_file = folder / "settings.json"
    mine = {"model": plan.model, "size": plan.size, "batches": [checksum(path) for path in batches]}
    mine |= plan.settings.of_a_step()
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


def _batches(augmented: Path, subsample: int, size: int, nbatch: int) -> list[Path]:
    paths = [augmented / batch_folder(subsample) / batch_file(size, b) for b in range(1, nbatch + 1)]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise InclinetError(
            f"{missing[0]}: no such stored batch (options --augmented, --size, --nbatch, --niter); "
            "run `inclinet augment` first"
        )
    return paths


def _if_left_out(left: Batch | None, batches: list[Path]) -> Batch | None:
    """Return the galaxies to judge by while training, if the stored batches really leave them out."""
    if left is None:
        return None
    # The PGCs alone: of files compressed by others, the images would be unpacked with them.
    seen = {pgc for path in batches for pgc in read_arrays(path, ["pgcIDs"])["pgcIDs"].tolist()}
    if held := seen & set(left.pgcs.tolist()):
        logger.warning(
            "no snapshot is chosen by left-out galaxies: the stored batches hold some (PGC %d), made by another split, "
            "or to leave out none",
            min(held),
        )
        return None
    return left


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

    Writes, in `outmodels`, snapshots, the metrics JSON, their figure, and at the end the network. Takes up an
    interrupted run from its last snapshot.

    Raises
    ------
    InclinetError
        When batches or samples are missing, settings contradict the run to continue, or the loss diverges.
    """
    plan = Plan(model, subsample, size, nbatch, settings or Train())
    paths = _batches(augmented, subsample, size, nbatch)
    folder = outmodels / checkpoint_folder(subsample, model)
    if restart:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    for part in folder.glob(".part-*"):  # what a killed run was writing
        part.unlink()
    _check_continues(folder, plan, paths)
    batchsize = batchsize_of(Batch.open(paths[0]))
    test = validation_batch(read_samples(find_samples(samples, size, "test", 0), size), batchsize)
    if test is None:
        logger.warning("%s: no galaxy in the test set; no validation metrics", samples)
    left = _if_left_out(left_out_batch(samples, size, subsample, batchsize), paths)
    monitors = {"val": test, "left": left}

    def fetch(number: int) -> Batch:
        return Batch.read(paths[number - 1])

    with TrainingRun(plan, fetch, monitors, FolderStore(outmodels)) as training:
        if training.step:
            logger.info("continuing %s after step %d", plan.title, training.step)
        logger.info("%s in %s", plan.title, training.precision)
        todo = range(training.step + 1, plan.steps + 1)
        for step in track(todo, f"train {model}-{subsample}", len(todo)):
            if training.ended:
                logger.warning("%s: no better on the left-out galaxies since step %d", plan.title, training.best)
                break
            training.reach(step)
        return save_network(training.finish(), outmodels / network_file(subsample, model))
