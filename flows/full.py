"""Flow `inclinet`: everything, from images and catalogue to evaluated networks."""

from collections.abc import Mapping
from os import cpu_count
from typing import Annotated, Any

from prefect import flow
from prefect.futures import PrefectFuture, wait
from prefect.runtime import flow_run
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import Field

from flows.children import cancel_children, run_children
from inclinet.artifacts import Reference
from inclinet.layouts import check_fits
from inclinet.naming import batch_folder, stored_band
from inclinet.settings import Augment, Sample, Size, Split, Train
from tasks.augment import augment as augment_batch
from tasks.augment import augment_left_out, augment_test
from tasks.common import read_reference
from tasks.compress import compress
from tasks.evaluate import evaluate, index, skipped
from tasks.inputs import catalogue, inventory
from tasks.prep import prep
from tasks.split import split as split_band

__all__ = ["full"]

By = dict[str, Reference]


def _run_name() -> str:
    return f"inclinet-{str(flow_run.id)[:8]}"


def _results(futures: Mapping[Any, PrefectFuture]) -> dict[Any, Reference]:
    wait(list(futures.values()))
    return {name: future.result() for name, future in futures.items()}


def _prepare(size: int, sample: Sample, labels: Reference) -> tuple[By, Reference]:
    """Run prep and compress; returns the packed files by band, and the table of skipped galaxies."""
    listings = _results(
        {band: inventory.with_options(tags=["inventory", band]).submit(sample, band, labels) for band in sample.bands}
    )
    chunks = _results(
        {
            (band, chunk): prep.with_options(tags=["prep", band]).submit(sample, band, size, listing, chunk)
            for band, listing in listings.items()
            for chunk in sorted(listing.facts["chunks"])
        }
    )
    by_band = {band: {c: ref for (b, c), ref in chunks.items() if b == band} for band in sample.bands}
    tables = {f"inventory-{band}": listing for band, listing in listings.items()}
    tables |= {f"prep-{band}-{chunk}": reference for (band, chunk), reference in chunks.items()}
    omitted = skipped({"catalogue": labels, **tables}, return_state=True).result()
    packed = _results(
        {
            band: compress.with_options(tags=["compress", band]).submit(band, size, references)
            for band, references in by_band.items()
        }
    )
    return packed, omitted


def _augment(size: int, samples: By, niter: int, settings: Augment) -> dict[int, list[Reference]]:
    """Make the stored batches; returns them by subsample."""
    batches = _results(
        {
            (k, b): augment_batch.with_options(tags=["augment", f"subsample-{k}"]).submit(samples, size, k, b, settings)
            for k in range(niter + 1)
            for b in range(1, settings.nbatch + 1)
        }
    )
    return {k: [ref for (of, _), ref in sorted(batches.items()) if of == k] for k in range(niter + 1)}


def _judges(size: int, samples: By, niter: int, settings: Augment) -> dict[str | int, Reference | None]:
    """Make the augmented test set ("test") and the augmented left-out galaxies of each subsample; None without any."""

    def with_any(fact: str) -> By:
        return {band: reference for band, reference in samples.items() if reference.facts[fact]}

    futures: dict[str | int, PrefectFuture] = {}
    if tested := with_any("test"):
        futures["test"] = augment_test.submit(tested, size, settings)
    for k in range(niter + 1):
        if (k or settings.leave_out) and (left := with_any(f"left_out_{k}")):
            futures[k] = augment_left_out.with_options(tags=["augment", f"subsample-{k}"]).submit(
                left, size, k, settings
            )
    return dict.fromkeys(["test", *range(niter + 1)]) | _results(futures)


def _train(
    size: int,
    settings: Train,
    batches: dict[int, list[Reference]],
    judges: dict[str | int, Reference | None],
    tests: By,
) -> By:
    """Train every network on every subsample on the pool `gpu`; returns the networks by name."""
    networks = {f"{model}_{k}": (model, k) for model in settings.models for k in batches}
    references = {name: f"runs/{_run_name()}/references/{name}.json" for name in networks}
    children = {
        f"train-{model}-{k}": {
            "model": model,
            "subsample": k,
            "size": size,
            "settings": settings,
            "batches": batches[k],
            "validation": judges["test"],
            "left_out": judges[k],
            "tests": tests,
            "report_to": references[name],
        }
        for name, (model, k) in networks.items()
    }
    tags = {f"train-{model}-{k}": ["train", model, f"subsample-{k}"] for model, k in networks.values()}
    run_children("train/gpu", children, tags)
    return {name: read_reference(key) for name, key in references.items()}


@flow(
    name="inclinet",
    flow_run_name=_run_name,
    # Bounded: every task is busy, and an unbounded pool would start them all at once.
    task_runner=ThreadPoolTaskRunner(max_workers=cpu_count() or 1),
    on_cancellation=[cancel_children],
    persist_result=False,
)
def full(
    size: Annotated[int, Field(ge=8, le=1024, description=Size.model_fields["size"].description)] = Size().size,
    sample: Annotated[Sample, Field(description="Which images and which catalogue.")] = Sample(),
    split: Annotated[Split, Field(description="Test set and subsamples.")] = Split(),
    augment: Annotated[Augment, Field(description="Stored training batches.")] = Augment(),
    train: Annotated[Train, Field(description="Networks and how they are trained.")] = Train(),
) -> None:
    """Prepare, split, augment, train and evaluate: from folders of cutouts to evaluated networks.

    What was made before from the same images, settings and code is found, not made again.
    """
    check_fits(train.models, size)
    labels = catalogue(sample, return_state=True).result()
    packed, omitted = _prepare(size, sample, labels)
    samples = _results(
        {
            stored_band(band): split_band.with_options(tags=["split", band]).submit(band, size, reference, split)
            for band, reference in packed.items()
        }
    )
    batches = _augment(size, samples, split.niter, augment)
    tested = {band: reference for band, reference in samples.items() if reference.facts["test"]}
    judges = _judges(size, samples, split.niter, augment)
    networks = _train(size, train, batches, judges, tested)
    evaluation = evaluate(networks, labels, return_state=True).result()
    made = {
        "packed": list(packed.values()),
        "samples": list(samples.values()),
        **{f"augmented/{batch_folder(k)}": references for k, references in batches.items()},
        "models": list(networks.values()),
        "evaluation": [evaluation],
        "skipped": [omitted],
    }
    index(_run_name(), made, ["models", "evaluation", "skipped"], return_state=True).result()
