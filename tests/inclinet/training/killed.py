"""A training run that kills its own process (SIGKILL) at a chosen point: python killed.py FOLDER STORE POINT.

FOLDER holds samples and stored batches of 24 pixels; STORE takes the snapshots. Without a point the run is completed.
"""

import math
import os
import signal
import sys
from pathlib import Path

import inclinet.training.record
import inclinet.training.saving
from inclinet.data.filenames import batch_file, batch_folder
from inclinet.data.samples import Batch
from inclinet.preparation.augment import left_out_batch
from inclinet.settings import Train
from inclinet.storage.addresses import open_store
from inclinet.storage.store import Store
from inclinet.training.plan import Plan
from inclinet.training.record import Recorder
from inclinet.training.run import TrainingRun

SIZE, STEP = 24, 3
PLAN = Plan("model4", 0, SIZE, 2, Train(N_batch_iter=3, training_batch_size=24, seed=1))


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def training(folder: Path, store: Store) -> TrainingRun:
    """Return the run on the stored batches of `folder`; it saves every step, however short."""
    inclinet.training.saving._SHARE_OF_TIME = math.inf

    def fetch(number):
        return Batch.read(folder / batch_folder(0) / batch_file(SIZE, number))

    monitors = {"left": left_out_batch(folder / "samples", SIZE, 0, 4)}
    return TrainingRun(PLAN, fetch, monitors, store, record=Recorder(PLAN, store))


def in_a_minibatch():
    from inclinet.training.minibatches import MiniBatches

    get, calls = MiniBatches.__getitem__, []

    def dies(self, index):
        calls.append(index)
        if calls.count(2) == STEP:  # the third mini-batch of the third step
            die()
        return get(self, index)

    MiniBatches.__getitem__ = dies


def between_training_and_saving():
    from inclinet.training.snapshots import Snapshots

    def dies(self, snapshot):
        die() if snapshot.step == STEP else save(self, snapshot)

    save, Snapshots.save = Snapshots.save, dies


def with_half_a_snapshot_written():
    from inclinet.storage.store import FolderStore

    put = FolderStore.put

    def dies(self, path, key):
        if key.endswith(f"step_{STEP:04d}.npz"):
            data = path.read_bytes()
            part = self.folder / Path(key).parent / ".part-half.npz"
            part.write_bytes(data[: len(data) // 2])
            die()
        put(self, path, key)

    FolderStore.put = dies


def before_a_snapshot_has_its_name():
    replace = Path.replace

    def dies(self, target):
        if Path(target).name == f"step_{STEP:04d}.npz":
            die()
        return replace(self, target)

    Path.replace = dies


def in_removing_old_snapshots():
    from inclinet.storage.store import FolderStore

    delete = FolderStore.delete

    def dies(self, key):
        delete(self, key)
        die()

    FolderStore.delete = dies


def in_drawing_the_figure():
    inclinet.training.record.training_curves = lambda *arguments: die()


POINTS = [
    in_a_minibatch,
    between_training_and_saving,
    with_half_a_snapshot_written,
    before_a_snapshot_has_its_name,
    in_removing_old_snapshots,
    in_drawing_the_figure,
]


def main(folder: str, store: str, point: str = "") -> None:
    if point:
        {one.__name__: one for one in POINTS}[point]()
    with training(Path(folder), open_store(store)) as run:
        for step in range(run.step + 1, PLAN.steps + 1):
            run.reach(step)
        run.finish()


if __name__ == "__main__":
    main(*sys.argv[1:])
