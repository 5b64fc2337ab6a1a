"""Tasks of the augment stage."""

from collections.abc import Callable, Mapping
from pathlib import Path

from prefect.client.schemas.objects import State

from inclinet.artifacts import Reference
from inclinet.augment import augment_batch, validation_batch
from inclinet.batches import Batch, Samples, read_samples
from inclinet.naming import batch_file, sample_file, validation_file
from inclinet.settings import Augment
from tasks.common import artifacts, make, stage_task, work_folder

__all__ = ["augment", "augment_test"]


def _make(
    name: str,
    samples: dict[str, Reference],
    names: dict[str, str],
    out_name: str,
    settings: dict,
    render: Callable[[dict[str, Samples]], Batch],
) -> State:
    """Make one batch of the sample files `names` (by stored band) of the artifacts `samples`."""
    size = settings["size"]

    def work(out: Path) -> Mapping[str, int]:
        with work_folder("augment") as folder:
            paths = {b: artifacts().fetch(samples[b], folder, [names[b]])[0] for b in samples}
            batch = render(read_samples(paths, size))
            batch.write(out / out_name)
        return {"images": len(batch.labels)}

    # Files, not artifacts, are the inputs: another subsample leaves those of this one as they are.
    inputs = {names[band]: reference.files[names[band]] for band, reference in samples.items()}
    return make("augment", name, inputs=inputs, settings=settings, modules=["augment"], work=work)


@stage_task("augment", "augment-{subsample}-{batch:02d}")
def augment(samples: dict[str, Reference], size: int, subsample: int, batch: int, settings: Augment) -> State:
    """Make one stored batch of one subsample; `samples` are the split artifacts by stored band."""
    seed = [settings.seed, subsample, batch]
    return _make(
        f"{subsample}-{batch:02d}",
        samples,
        {band: sample_file(band, size, "train", subsample) for band in samples},
        batch_file(size, batch),
        {"size": size, "batchsize": settings.batchsize, "seed": seed},
        lambda found: augment_batch(found, settings.batchsize, seed, workers=2),
    )


@stage_task("augment", "augment-test")
def augment_test(samples: dict[str, Reference], size: int, settings: Augment) -> State:
    """Make the augmented test set, on which every step of training is measured."""
    return _make(
        "test",
        samples,
        {band: sample_file(band, size, "test", 0) for band in samples},
        validation_file(size),
        {"size": size, "batchsize": settings.batchsize, "side": "test"},
        lambda found: validation_batch(found, settings.batchsize),
    )
