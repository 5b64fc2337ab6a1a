"""Tasks of the augment stage."""

from collections.abc import Callable, Mapping
from pathlib import Path

from prefect.client.schemas.objects import State

from inclinet.data.filenames import batch_file, left_out_file, sample_file, validation_file
from inclinet.data.samples import Batch, find_samples, read_samples
from inclinet.errors import InclinetError
from inclinet.preparation.augment import left_out_batch, validation_batch, write_training_batch
from inclinet.preparation.split import left_out_side
from inclinet.settings import Augment
from inclinet.storage.artifacts import Reference
from inclinet.storage.atomic import temporary_folder
from tasks.common import artifacts, make, sample_inputs, stage_task

__all__ = ["augment_left_out_task", "augment_task", "augment_test_task"]


def _make(
    name: str,
    samples: dict[str, Reference],
    side: tuple[str, int],
    out_name: str,
    settings: dict,
    write: Callable[[Path, Path], int],
) -> State:
    """Make one batch from the sample files of one (side, subsample); `samples` are split artifacts by stored band.

    `write` is given the folder of the samples and the path of the batch; it returns the number of images.
    """

    def work(out: Path) -> Mapping[str, int]:
        with temporary_folder("augment") as folder:
            for band, reference in samples.items():
                artifacts().fetch(reference, folder, [sample_file(band, settings["size"], *side)])
            images = write(folder, out / out_name)
        if not images:
            raise InclinetError(f"no galaxy to augment in {side[0]}_{side[1]:03d}; add galaxies to the sample")
        return {"images": images}

    inputs = sample_inputs(samples, settings["size"], side)
    return make("augment", name, inputs=inputs, settings=settings, work=work)


def _write(batch: Batch | None, path: Path) -> int:
    """Write a batch if there is one; return its number of images."""
    if batch is None:
        return 0
    batch.write(path)
    return len(batch.labels)


@stage_task("augment", "augment-{subsample}-{batch:02d}")
def augment_task(samples: dict[str, Reference], size: int, subsample: int, batch: int, settings: Augment) -> State:
    """Make one stored batch of one subsample; `samples` are the split artifacts by stored band."""

    def write(folder: Path, path: Path) -> int:
        found = read_samples(find_samples(folder, size, "train", subsample), size)
        return write_training_batch(path, found, subsample, batch, settings, workers=2)

    how = {"size": size, "batch": batch, **settings.model_dump(exclude={"nbatch"})}
    side = ("train", subsample)
    return _make(f"{subsample}-{batch:02d}", samples, side, batch_file(size, batch), how, write)


@stage_task("augment", "augment-test")
def augment_test_task(samples: dict[str, Reference], size: int, settings: Augment) -> State:
    """Augment the test set, on which every training step is measured."""

    def write(folder: Path, path: Path) -> int:
        found = read_samples(find_samples(folder, size, "test", 0), size)
        return _write(validation_batch(found, settings.batchsize), path)

    how = {"size": size, "batchsize": settings.batchsize, "monitor": "test set"}
    return _make("test", samples, ("test", 0), validation_file(size), how, write)


@stage_task("augment", "augment-left-{subsample}")
def augment_left_out_task(samples: dict[str, Reference], size: int, subsample: int, settings: Augment) -> State:
    """Augment the galaxies that a subsample leaves out, on which its snapshots are measured."""

    def write(folder: Path, path: Path) -> int:
        return _write(left_out_batch(folder, size, subsample, settings.batchsize), path)

    how = {"size": size, "batchsize": settings.batchsize, "monitor": "left out"}
    return _make(f"left-{subsample}", samples, left_out_side(subsample), left_out_file(size, subsample), how, write)
