"""The whole way, from images and catalogue to published networks: what flows of all of it share."""

from collections.abc import Mapping
from dataclasses import dataclass
from os import cpu_count
from typing import Any

from prefect.futures import PrefectFuture, wait
from prefect.runtime import flow_run
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.utilities.annotations import opaque

from flows.children import cancel_children, run_children
from inclinet.data.bands import stored_band
from inclinet.data.filenames import batch_folder
from inclinet.errors import InclinetError
from inclinet.settings import Augment, Sample, Split, Train
from inclinet.storage.artifacts import Reference
from tasks.augment import augment_left_out_task, augment_task, augment_test_task
from tasks.compress import compress_task
from tasks.evaluate import evaluate_task
from tasks.inputs import catalogue_task, inventory_task
from tasks.prep import prep_task
from tasks.publish import fingerprint, publish_task
from tasks.record import count_galaxies_task, index_task, skipped_task
from tasks.split import split_task
from tasks.train import Session, find_network_task

__all__ = [
    "PIPELINE_OPTIONS",
    "PipelineSettings",
    "References",
    "list_images",
    "run_name",
    "run_pipeline",
    "samples_of",
]

References = dict[str, Reference]


def run_name() -> str:
    """Return the name of the run that asks."""
    return f"inclinet-{str(flow_run.id)[:8]}"


PIPELINE_OPTIONS = {
    "name": "inclinet",
    "flow_run_name": run_name,
    # Bounded: every task is busy, and an unbounded pool would start them all at once.
    "task_runner": ThreadPoolTaskRunner(max_workers=cpu_count() or 1),
    "on_cancellation": [cancel_children],
    "persist_result": False,
}
"""How flows of the whole way are run."""


@dataclass(frozen=True)
class PipelineSettings:
    """The settings of all stages."""

    size: int
    sample: Sample
    split: Split
    augment: Augment
    train: Train

    def as_json(self) -> dict[str, Any]:
        """Return them fit for JSON, without where the images lie."""
        return {
            "size": self.size,
            "bands": list(self.sample.bands),
            "imroot": self.sample.imroot,
            **{name: getattr(self, name).model_dump(mode="json") for name in ("split", "augment", "train")},
        }


def _results(futures: Mapping[Any, PrefectFuture]) -> dict[Any, Reference]:
    wait(list(futures.values()))
    return {name: future.result() for name, future in futures.items()}


@dataclass(frozen=True)
class Intake:
    """What became of the images, by band."""

    listings: References
    chunks: dict[str, list[Reference]]
    packed: References
    skipped: Reference


def list_images(sample: Sample) -> tuple[Reference, References]:
    """Read the catalogue and list the images of each band, by their content."""
    labels = catalogue_task(sample, return_state=True).result()
    listings = {
        band: inventory_task.with_options(tags=["inventory", band]).submit(sample, band, labels)
        for band in sample.bands
    }
    return labels, _results(listings)


def _prepare(size: int, sample: Sample, labels: Reference, listings: References) -> Intake:
    """Run prep and compress."""
    made = _results(
        {
            (band, chunk): prep_task.with_options(tags=["prep", band]).submit(sample, band, size, listing, chunk)
            for band, listing in listings.items()
            for chunk in sorted(listing.facts["chunks"])
        }
    )
    chunks = {band: {c: ref for (b, c), ref in made.items() if b == band} for band in sample.bands}
    tables = {f"inventory-{band}": listing for band, listing in listings.items()}
    tables |= {f"prep-{band}-{chunk}": reference for (band, chunk), reference in made.items()}
    omitted = skipped_task({"catalogue": labels, **tables}, return_state=True).result()
    packed = _results(
        {
            band: compress_task.with_options(tags=["compress", band]).submit(band, size, references)
            for band, references in chunks.items()
        }
    )
    return Intake(listings, {band: list(parts.values()) for band, parts in chunks.items()}, packed, omitted)


def _split(size: int, packed: References, settings: Split) -> References:
    """Return the split artifacts by band."""
    return _results(
        {
            band: split_task.with_options(tags=["split", band]).submit(band, size, reference, settings)
            for band, reference in packed.items()
        }
    )


def samples_of(size: int, settings: PipelineSettings, labels: Reference, listings: References) -> References:
    """Return the split artifacts of images of another size, by stored band."""
    samples = _split(size, _prepare(size, settings.sample, labels, listings).packed, settings.split)
    return {stored_band(band): reference for band, reference in samples.items()}


def _augment(size: int, samples: References, niter: int, settings: Augment) -> dict[int, list[Reference]]:
    """Make the stored batches; returns them by subsample."""
    batches = _results(
        {
            (k, b): augment_task.with_options(tags=["augment", f"subsample-{k}"]).submit(samples, size, k, b, settings)
            for k in range(niter + 1)
            for b in range(1, settings.nbatch + 1)
        }
    )
    return {k: [ref for (of, _), ref in sorted(batches.items()) if of == k] for k in range(niter + 1)}


def _make_monitors(size: int, samples: References, niter: int, settings: Augment) -> dict[str | int, Reference | None]:
    """Make the augmented test set ("test") and the augmented left-out galaxies of each subsample; None without any."""

    def with_any(fact: str) -> References:
        return {band: reference for band, reference in samples.items() if reference.facts[fact]}

    futures: dict[str | int, PrefectFuture] = {}
    if tested := with_any("test"):
        futures["test"] = augment_test_task.submit(tested, size, settings)
    for k in range(niter + 1):
        if (k or settings.leave_out) and (left := with_any(f"left_out_{k}")):
            futures[k] = augment_left_out_task.with_options(tags=["augment", f"subsample-{k}"]).submit(
                left, size, k, settings
            )
    return dict.fromkeys(["test", *range(niter + 1)]) | _results(futures)


def _train(
    size: int,
    settings: Train,
    batches: dict[int, list[Reference]],
    monitors: dict[str | int, Reference | None],
    samples: References,
) -> References:
    """Train every network on every subsample on the pool `gpu`; returns the networks by name.

    Raises
    ------
    InclinetError
        When a run of the pool `gpu` completed and its network is not there.
    """
    sessions = {
        f"{model}_{k}": Session(model, k, size, settings, batches[k], monitors["test"], monitors[k], samples)
        for model in settings.models
        for k in batches
    }
    networks = _find(sessions, is_new=False)
    missing = {name: session for name, session in sessions.items() if name not in networks}
    children = {f"train-{session.name}": session for session in missing.values()}
    run_children(
        "train/gpu",
        {name: session.parameters() for name, session in children.items()},
        {name: ["train", session.model, f"subsample-{session.subsample}"] for name, session in children.items()},
    )
    made = _find(missing, is_new=True)
    if lost := missing.keys() - made.keys():
        raise InclinetError(
            f"{', '.join(sorted(lost))}: trained, but not where this run looks for it; the workers of the pools cpu "
            "and gpu run different code: bring both to the same version"
        )
    return {name: (networks | made)[name] for name in sessions}


def _find(sessions: Mapping[str, Session], is_new: bool) -> References:
    """Return those networks that are there, just `made` or from before, by name."""
    looked = _results({name: find_network_task.submit(opaque(session), is_new) for name, session in sessions.items()})
    return {name: reference for name, reference in looked.items() if reference is not None}


@dataclass(frozen=True)
class Outcome:
    """What a run of the whole way leaves: the published version, the split artifacts by stored band, the evaluation."""

    version: str
    samples: References
    evaluation: Reference


def run_pipeline(settings: PipelineSettings, labels: Reference, listings: References) -> Outcome:
    """Make what is not there, in the order of the data, and publish the networks."""
    size, split = settings.size, settings.split
    intake = _prepare(size, settings.sample, labels, listings)
    samples = _split(size, intake.packed, split)
    count_galaxies_task(run_name(), intake.listings, intake.chunks, samples, return_state=True).result()
    stored = {stored_band(band): reference for band, reference in samples.items()}
    batches = _augment(size, stored, split.niter, settings.augment)
    monitors = _make_monitors(size, stored, split.niter, settings.augment)
    networks = _train(size, settings.train, batches, monitors, stored)
    evaluation = evaluate_task(networks, labels, stored, batches[0][0], size, return_state=True).result()
    of = fingerprint(labels, listings, settings.as_json())
    version = publish_task(run_name(), networks, evaluation, stored, of, settings.as_json(), return_state=True).result()
    files = {
        "catalogue": [labels],
        **{f"inventory/{band}": [reference] for band, reference in intake.listings.items()},
        **{f"prep/{chunk.name}": [chunk] for chunks in intake.chunks.values() for chunk in chunks},
        "packed": list(intake.packed.values()),
        "samples": list(samples.values()),
        **{f"augmented/{batch_folder(k)}": references for k, references in batches.items()},
        "augmented": [reference for reference in monitors.values() if reference is not None],
        "models": list(networks.values()),
        "evaluation": [evaluation],
        "skipped": [intake.skipped],
    }
    index_task(run_name(), files, ["models", "evaluation", "skipped"], return_state=True).result()
    return Outcome(version, stored, evaluation)
