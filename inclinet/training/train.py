"""Stage train: train one network on the stored batches of one subsample, with local files."""

import logging
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from inclinet.data.filenames import batch_file, batch_folder
from inclinet.data.samples import Batch, batchsize_of, find_samples, read_samples
from inclinet.errors import InclinetError
from inclinet.networks.filenames import network_file
from inclinet.networks.load import load_keras
from inclinet.networks.save import save_network
from inclinet.preparation.augment import left_out_batch, validation_batch
from inclinet.preparation.split import left_out_galaxies, left_out_side
from inclinet.progress import Track, silent
from inclinet.settings import Train
from inclinet.storage.atomic import write_text
from inclinet.storage.claims import Claim, claim_folder
from inclinet.storage.digests import json_digest
from inclinet.storage.npz import checksum, read_arrays
from inclinet.storage.store import FolderStore
from inclinet.training.filenames import checkpoint_folder, start_file
from inclinet.training.identity import check_same_run
from inclinet.training.label_errors import LabelErrors
from inclinet.training.plan import Plan
from inclinet.training.record import Recorder
from inclinet.training.run import TrainingRun
from inclinet.training.start import MAY_HAVE_SEEN, Start, check_kind, check_leaks, measured_galaxies
from inclinet.training.step import network_weights

__all__ = ["check_start", "train_network"]

logger = logging.getLogger(__name__)


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
    start: Start | None = None,
    label_errors: LabelErrors | None = None,
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
        Its `start` names, for people, what `start` holds.
    start : Start, optional
        Network whose weights the training starts from; by default they are random.
    label_errors : mapping of int to float, optional
        Errors (deg) of labels by PGC number, as `inclinet.data.catalog.Catalog.errors` gives them: unless the settings
        say otherwise, labels weigh less, the larger theirs is.
    restart : bool
        Whether to delete the snapshots of an earlier run and start again.
    track : Track
        Reports the progress.

    Raises
    ------
    InclinetError
        When stored batches or samples are missing; when the network to start from is another one, or has seen galaxies
        that this one is measured on; when the folder holds the snapshots of a run with other settings or
        data, or another process works in it; when the loss or a weight is not finite.
    """
    plan = Plan(model, subsample, size, nbatch, settings or Train(), start.record.sha256 if start else "")
    paths = _find_batches(augmented, plan)
    if start:
        check_start(start, augmented, samples, model=model, size=size, nbatch=nbatch, subsamples=[subsample])
        if start.record.galaxies is None:
            logger.warning("%s: %s", plan.title, MAY_HAVE_SEEN)
    if plan.settings.label_weights == "equal":
        label_errors = None
    folder = outmodels / checkpoint_folder(subsample, model)
    with claim_folder(folder) as claim:
        _clean_folder(folder, restart=restart)
        check_same_run(folder, plan.identity() | _data(paths, samples, plan, label_errors))
        monitors = _read_monitors(paths, samples, plan)
        _record_start(start, outmodels / start_file(subsample, model))
        return _train(plan, paths, monitors, outmodels, start, label_errors, claim, track)


def _clean_folder(folder: Path, *, restart: bool) -> None:
    """Make the folder of the snapshots, empty for a restart, and without parts of files."""
    if restart:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    for part in folder.glob(".part-*"):  # left by a run that was killed while writing
        part.unlink()


def _train(
    plan: Plan,
    batches: list[Path],
    monitors: dict[str, Batch | None],
    outmodels: Path,
    start: Start | None,
    label_errors: LabelErrors | None,
    claim: Claim,
    track: Track,
) -> Path:
    """Do the steps that are missing, and write the trained network; returns its file."""

    def fetch(number: int) -> Batch:
        return Batch.read(batches[number - 1])

    def starting_weights() -> dict[str, np.ndarray]:
        assert start is not None
        return network_weights(load_keras(start.file))

    store = FolderStore(outmodels)
    recorder, first = Recorder(plan, store), starting_weights if start else None
    with TrainingRun(plan, fetch, monitors, store, record=recorder, start=first, label_errors=label_errors) as run:
        if run.step:
            logger.info("resuming %s after step %d", plan.title, run.step)
        logger.info("%s in %s", plan.title, run.precision)
        todo = range(run.step + 1, plan.steps + 1)
        for step in track(todo, f"train {plan.model}-{plan.subsample}", len(todo)):
            claim.check()
            if run.ended:
                logger.warning("%s: %s", plan.title, run.stopped_early)
                break
            run.reach(step)
        return save_network(run.finish(), outmodels / network_file(plan.subsample, plan.model))


def check_start(
    start: Start,
    augmented: Path,
    samples: Path,
    *,
    model: str,
    size: int,
    nbatch: int,
    subsamples: Iterable[int],
) -> None:
    """Check that the networks of some subsamples can start from another network; parameters as for `train_network`.

    Raises
    ------
    InclinetError
        When it is one of another architecture or image size, or has seen a galaxy that they are measured on; when
        stored batches or samples are missing.
    """
    check_kind(start.file, model, size)
    plans = [Plan(model, k, size, nbatch, Train()) for k in subsamples]
    measured = [_measured_galaxies(samples, plan, _find_batches(augmented, plan)) for plan in plans]
    check_leaks(start.record, np.unique(np.concatenate(measured)))


def _measured_galaxies(samples: Path, plan: Plan, batches: list[Path]) -> np.ndarray:
    """Return the PGC numbers of the galaxies that a network is measured on."""
    left_out = left_out_galaxies(
        read_samples(find_samples(samples, plan.size, *left_out_side(plan.subsample)), plan.size), plan.subsample
    )
    leaves_out = _trained_galaxies(batches).isdisjoint(left_out.tolist())
    return measured_galaxies(samples, plan.size, plan.subsample, leaves_out=leaves_out)


def _record_start(start: Start | None, path: Path) -> None:
    if start:
        write_text(path, start.record.model_dump_json(indent=1))
    else:
        path.unlink(missing_ok=True)


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


def _data(batches: list[Path], samples: Path, plan: Plan, label_errors: LabelErrors | None = None) -> dict[str, Any]:
    """Return the checksums of the files that a run trains on and is measured on."""
    sides = ("test", 0), left_out_side(plan.subsample)
    files = {path.name: path for side in sides for path in find_samples(samples, plan.size, *side).values()}
    return {
        "batches": [checksum(path) for path in batches],
        "samples": {name: checksum(path) for name, path in sorted(files.items())},
        **({"label_errors": json_digest(dict(label_errors))} if label_errors else {}),
    }


def _read_monitors(batches: list[Path], samples: Path, plan: Plan) -> dict[str, Batch | None]:
    """Return the augmented test set (`val`) and left-out galaxies (`left`); None where there is no galaxy."""
    batchsize = batchsize_of(batches[0])
    test = validation_batch(read_samples(find_samples(samples, plan.size, "test", 0), plan.size), batchsize)
    if test is None:
        logger.warning("%s: no galaxy in the test set; no validation metrics", samples)
    left = left_out_batch(samples, plan.size, plan.subsample, batchsize)
    return {"val": test, "left": left and _unless_trained_on(left, batches)}


def _unless_trained_on(left: Batch, batches: list[Path]) -> Batch | None:
    """Return the left-out galaxies if no stored batch holds any of them, else None."""
    if both := _trained_galaxies(batches) & set(left.pgcs.tolist()):
        logger.warning(
            "left-out galaxies are not used: the stored batches hold some of them (such as PGC %d), because they "
            "belong to another split or leave out no galaxy",
            min(both),
        )
        return None
    return left


def _trained_galaxies(batches: list[Path]) -> set[int]:
    # Only the PGC numbers are read: in compressed files, reading the images would unpack them.
    return {pgc for path in batches for pgc in read_arrays(path, ["pgcIDs"])["pgcIDs"].tolist()}
