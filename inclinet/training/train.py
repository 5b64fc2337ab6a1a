"""Stage train: train one network on the stored batches of one subsample, with local files."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any

from inclinet.data.filenames import batch_file, batch_folder
from inclinet.data.samples import Batch, batchsize_of, find_samples, read_samples
from inclinet.errors import InclinetError
from inclinet.networks.filenames import network_file
from inclinet.networks.save import save_network
from inclinet.preparation.augment import left_out_batch, validation_batch
from inclinet.preparation.split import left_out_side
from inclinet.progress import Track, silent
from inclinet.settings import Train
from inclinet.storage.atomic import write_text
from inclinet.storage.npz import checksum, read_arrays
from inclinet.storage.store import FolderStore
from inclinet.training.filenames import checkpoint_folder, parse_snapshot
from inclinet.training.plan import Plan
from inclinet.training.record import Recorder
from inclinet.training.run import TrainingRun

__all__ = ["train_network"]

logger = logging.getLogger(__name__)

_DATA = {"batches": ("other stored batches", "augmented"), "samples": ("other samples", "samples")}
"""How an error names data that changed, and the setting to change."""


def train_network(
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
    """Train one network on the stored batches of one subsample; returns the file of the trained network.

    An interrupted run is resumed from its last snapshot.

    Parameters
    ----------
    augmented, samples : Path
        Folders of the stored batches and of the samples.
    outmodels : Path
        Folder for the snapshots, the metrics JSON, its figure and the trained network.
    model : str
        Name of the network.
    subsample : int
        Subsample to train on; 0 is the whole training set.
    size : int
        Side of the images (pixels).
    nbatch : int
        Number of stored batches.
    settings : Train, optional
    restart : bool
        Whether to delete the snapshots of an earlier run and start again.
    track : Track
        Reports the progress.

    Raises
    ------
    InclinetError
        When stored batches or samples are missing; when the folder holds the snapshots of a run with other settings or
        data; when the loss or a weight is not finite.
    """
    plan = Plan(model, subsample, size, nbatch, settings or Train())
    paths = _find_batches(augmented, plan)
    folder = outmodels / checkpoint_folder(subsample, model)
    if restart:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    for part in folder.glob(".part-*"):  # left by a run that was killed while writing
        part.unlink()
    _check_same_run(folder, plan.identity() | _data(paths, samples, plan))
    monitors = _read_monitors(paths, samples, plan)

    def fetch(number: int) -> Batch:
        return Batch.read(paths[number - 1])

    store = FolderStore(outmodels)
    with TrainingRun(plan, fetch, monitors, store, record=Recorder(plan, store)) as run:
        if run.step:
            logger.info("resuming %s after step %d", plan.title, run.step)
        logger.info("%s in %s", plan.title, run.precision)
        todo = range(run.step + 1, plan.steps + 1)
        for step in track(todo, f"train {model}-{subsample}", len(todo)):
            if run.ended:
                logger.warning("%s: %s", plan.title, run.stopped_early)
                break
            run.reach(step)
        return save_network(run.finish(), outmodels / network_file(subsample, model))


def _find_batches(augmented: Path, plan: Plan) -> list[Path]:
    folder = augmented / batch_folder(plan.subsample)
    paths = [folder / batch_file(plan.size, number) for number in range(1, plan.nbatch + 1)]
    for path in paths:
        if not path.is_file():
            raise InclinetError(
                f"{path}: no such stored batch; run `inclinet augment` first, for subsample {plan.subsample}, "
                f"{plan.nbatch} batches and images of {plan.size} pixels",
                setting="augmented",
            )
    return paths


def _data(batches: list[Path], samples: Path, plan: Plan) -> dict[str, Any]:
    """Return the checksums of the files that a run trains on and is measured on."""
    sides = ("test", 0), left_out_side(plan.subsample)
    files = {path.name: path for side in sides for path in find_samples(samples, plan.size, *side).values()}
    return {
        "batches": [checksum(path) for path in batches],
        "samples": {name: checksum(path) for name, path in sorted(files.items())},
    }


def _check_same_run(folder: Path, identity: dict[str, Any]) -> None:
    """Note which run a folder of snapshots belongs to; refuse a folder that belongs to another run."""
    file = folder / "settings.json"
    if not any(parse_snapshot(path.name) for path in folder.iterdir()):
        write_text(file, json.dumps(identity, indent=1))
        return
    noted = _read_identity(file)
    changed = [name for name, value in identity.items() if noted.get(name, value) != value]
    if changed:
        words = [f"{name} {noted[name]} → {identity[name]}" for name in changed if name not in _DATA]
        words += [_DATA[name][0] for name in changed if name in _DATA]
        raise InclinetError(
            f"{folder}: holds the snapshots of a run with other settings or data ({', '.join(words)}): use those "
            "again, write to another folder, or set restart to start again",
            setting=_DATA[changed[0]][1] if changed[0] in _DATA else changed[0],
        )
    if noted.keys() != identity.keys():
        raise InclinetError(
            f"{folder}: it is not known which settings and data its snapshots belong to: write to another folder, "
            "or set restart to start again",
            setting="restart",
        )


def _read_identity(file: Path) -> dict[str, Any]:
    try:
        noted = json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}


def _read_monitors(batches: list[Path], samples: Path, plan: Plan) -> dict[str, Batch | None]:
    """Return the augmented test set (`val`) and left-out galaxies (`left`); None where there is no galaxy."""
    batchsize = batchsize_of(Batch.open(batches[0]))
    test = validation_batch(read_samples(find_samples(samples, plan.size, "test", 0), plan.size), batchsize)
    if test is None:
        logger.warning("%s: no galaxy in the test set; no validation metrics", samples)
    left = left_out_batch(samples, plan.size, plan.subsample, batchsize)
    return {"val": test, "left": left and _unless_trained_on(left, batches)}


def _unless_trained_on(left: Batch, batches: list[Path]) -> Batch | None:
    """Return the left-out galaxies if no stored batch holds any of them, else None."""
    # Only the PGC numbers are read: in compressed files, reading the images would unpack them.
    trained = {pgc for path in batches for pgc in read_arrays(path, ["pgcIDs"])["pgcIDs"].tolist()}
    if both := trained & set(left.pgcs.tolist()):
        logger.warning(
            "left-out galaxies are not used: the stored batches hold some of them (such as PGC %d), because they "
            "belong to another split or leave out no galaxy",
            min(both),
        )
        return None
    return left
