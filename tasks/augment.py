"""Tasks of the augment stage."""

from collections.abc import Callable, Mapping
from pathlib import Path

from prefect.client.schemas.objects import State

from inclinet.artifacts import Reference
from inclinet.augment import augment_batch, left_out_pgcs, validation_batch
from inclinet.batches import Batch, find_samples, left_out_side, read_samples
from inclinet.naming import batch_file, left_out_file, sample_file, validation_file
from inclinet.settings import Augment
from tasks.common import artifacts, make, stage_task, work_folder

__all__ = ["augment", "augment_left_out", "augment_test"]


def _make(
    name: str,
    samples: dict[str, Reference],
    sides: list[tuple[str, int]],
    out_name: str,
    settings: dict,
    render: Callable[[Path], Batch],
) -> State:
    """Make one batch of sample files, those of the (side, subsample)s `sides` of the artifacts `samples`."""
    names = {band: [sample_file(band, settings["size"], *side) for side in sides] for band in samples}

    def work(out: Path) -> Mapping[str, int]:
        with work_folder("augment") as folder:
            for band, reference in samples.items():
                artifacts().fetch(reference, folder, names[band])
            batch = render(folder)
            batch.write(out / out_name)
        return {"images": len(batch.labels)}

    # Files, not artifacts, are the inputs: another subsample leaves those of this one as they are.
    inputs = {name: reference.files[name] for band, reference in samples.items() for name in names[band]}
    return make("augment", name, inputs=inputs, settings=settings, modules=["augment"], work=work)


@stage_task("augment", "augment-{subsample}-{batch:02d}")
def augment(samples: dict[str, Reference], size: int, subsample: int, batch: int, settings: Augment) -> State:
    """Make one stored batch of one subsample; `samples` are the split artifacts by stored band."""
    seed = [settings.seed, subsample, batch]
    sides = [("train", subsample)] if subsample else [("train", 0), left_out_side(0)]

    def render(folder: Path) -> Batch:
        found = read_samples(find_samples(folder, size, "train", subsample), size)
        without = None if subsample else left_out_pgcs(folder, size, 0)
        return augment_batch(found, settings.batchsize, seed, without=without, workers=2)

    return _make(
        f"{subsample}-{batch:02d}",
        samples,
        sides,
        batch_file(size, batch),
        {"size": size, "batchsize": settings.batchsize, "seed": seed},
        render,
    )


@stage_task("augment", "augment-test")
def augment_test(samples: dict[str, Reference], size: int, settings: Augment) -> State:
    """Make the augmented test set, on which every step of training is measured."""
    return _judge("test", samples, size, ("test", 0), validation_file(size), settings)


@stage_task("augment", "augment-left-{subsample}")
def augment_left_out(samples: dict[str, Reference], size: int, subsample: int, settings: Augment) -> State:
    """Make the augmented galaxies that a subsample leaves out, by which its snapshots are judged."""
    side, name = left_out_side(subsample), left_out_file(size, subsample)
    return _judge(f"left-{subsample}", samples, size, side, name, settings)


def _judge(
    name: str, samples: dict[str, Reference], size: int, side: tuple[str, int], out_name: str, settings: Augment
) -> State:
    return _make(
        name,
        samples,
        [side],
        out_name,
        {"size": size, "batchsize": settings.batchsize, "side": side[0]},
        lambda folder: validation_batch(read_samples(find_samples(folder, size, *side), size), settings.batchsize),
    )
