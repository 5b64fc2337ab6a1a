"""The pipeline from images and catalogue to published networks, which `inclinet/full` and `inclinet/retrain` share."""

from dataclasses import dataclass, field, replace
from os import cpu_count
from typing import Any

from prefect.futures import PrefectFuture
from prefect.runtime import flow_run
from prefect.task_runners import ThreadPoolTaskRunner

from flows.children import cancel_children
from flows.naming import folder_of_run, keep_typed, rename, sample_name, tags_of, unique
from flows.networks import train_networks
from flows.showing import results
from inclinet.data.bands import stored_band
from inclinet.data.columns import network_name, parse_network_name
from inclinet.data.filenames import batch_folder
from inclinet.settings import Augment, Sample, Split, Train
from inclinet.storage.artifacts import Reference
from tasks.augment import augment_left_out_task, augment_task, augment_test_task
from tasks.compress import compress_task
from tasks.evaluate import evaluate_task
from tasks.inputs import catalogue_task, inventory_task
from tasks.label_errors import label_errors_task
from tasks.live import RunPage
from tasks.prep import prep_task
from tasks.publish import fingerprint, publish_task
from tasks.record import count_galaxies_task, index_task, skipped_task
from tasks.split import split_task
from tasks.start import check_starts_task, start_task
from tasks.training import Training

__all__ = [
    "PIPELINE_OPTIONS",
    "PipelineResult",
    "PipelineSettings",
    "References",
    "find_starts",
    "list_images",
    "rename_by_sample",
    "run_pipeline",
    "samples_of",
]

References = dict[str, Reference]
Monitors = dict[str | int, Reference | None]


def _run_name() -> str:
    return _name_of(Sample.model_validate(flow_run.parameters["sample"]), flow_run.parameters["size"])


def _name_of(sample: Sample, size: int) -> str:
    """Return a name that says sample, bands and size."""
    return unique("-".join([sample_name(sample.images), *sample.bands, f"{size}px"]))


def rename_by_sample(chosen: Sample, size: int) -> None:
    """Name this run after the sample that it has chosen, unless a person has named it."""
    if flow_run.name == _run_name() != (name := _name_of(chosen, size)):
        rename(name)


PIPELINE_OPTIONS = {
    "name": "inclinet",
    "flow_run_name": keep_typed(_run_name),
    # Bounded, because an unbounded pool would start all tasks at once.
    "task_runner": ThreadPoolTaskRunner(max_workers=cpu_count() or 1),
    "on_cancellation": [cancel_children],
    "persist_result": False,
}
"""Options of the flows that run the pipeline."""


@dataclass(frozen=True)
class PipelineSettings:
    """The settings of all stages, and the networks that the training starts from, by model."""

    size: int
    sample: Sample
    split: Split
    augment: Augment
    train: Train
    starts: References = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return them ready for JSON, with digests in place of the places of images, catalogue and start."""
        stages = {name: getattr(self, name).model_dump(mode="json") for name in ("split", "augment", "train")}
        if self.starts:
            stages["train"]["start"] = {model: reference.digest for model, reference in self.starts.items()}
        sample = {"bands": list(self.sample.bands), "imroot": self.sample.imroot, "framing": self.sample.framing}
        return {"size": self.size, **sample, **stages}


@dataclass(frozen=True)
class Prepared:
    """The artifacts of prep (a list for each band) and compress, by band, and the table of skipped galaxies."""

    small: dict[str, list[Reference]]
    packed: References
    skipped: Reference


def list_images(sample: Sample) -> tuple[Reference, References]:
    """Read the catalogue and list the images of each band, by their content."""
    labels = catalogue_task(sample, return_state=True).result()
    listings = {
        band: inventory_task.with_options(tags=["inventory", band]).submit(sample, band, labels)
        for band in sample.bands
    }
    return labels, results(listings)


def find_starts(settings: PipelineSettings) -> PipelineSettings:
    """Return the settings with the networks that the training starts from."""
    train = settings.train
    if not train.start:
        return settings
    starts = {model: start_task(train.start, model, settings.size, return_state=True) for model in train.models}
    return replace(settings, starts={model: state.result() for model, state in starts.items()})


def _prepare(
    size: int, sample: Sample, labels: Reference, listings: References, page: RunPage | None = None
) -> Prepared:
    """Run prep and compress; `page` shows the progress."""
    prepared = {
        (band, bucket): prep_task.with_options(tags=["prep", band]).submit(sample, band, size, listing, bucket)
        for band, listing in listings.items()
        for bucket in sorted(listing.facts["chunks"])
    }
    made = results(prepared, "prep", "groups of images", page)
    small = {band: {bucket: ref for (of, bucket), ref in made.items() if of == band} for band in listings}
    tables = {f"inventory-{band}": listing for band, listing in listings.items()}
    tables |= {f"prep-{band}-{bucket}": reference for (band, bucket), reference in made.items()}
    skipped = skipped_task({"catalogue": labels, **tables}, return_state=True).result()
    packed = results(
        {
            band: compress_task.with_options(tags=["compress", band]).submit(band, size, references)
            for band, references in small.items()
        }
    )
    return Prepared({band: list(references.values()) for band, references in small.items()}, packed, skipped)


def _split(size: int, packed: References, settings: Split) -> References:
    """Return the split artifacts by band."""
    return results(
        {
            band: split_task.with_options(tags=["split", band]).submit(band, size, reference, settings)
            for band, reference in packed.items()
        }
    )


def samples_of(size: int, settings: PipelineSettings, labels: Reference, listings: References) -> References:
    """Return the split artifacts of the same images at another size, by stored band."""
    samples = _split(size, _prepare(size, settings.sample, labels, listings).packed, settings.split)
    return {stored_band(band): reference for band, reference in samples.items()}


def _augment(
    size: int, samples: References, niter: int, settings: Augment, page: RunPage
) -> dict[int, list[Reference]]:
    """Make the stored batches; return them by subsample."""
    made = {
        (k, b): augment_task.with_options(tags=["augment", f"subsample-{k}"]).submit(samples, size, k, b, settings)
        for k in range(niter + 1)
        for b in range(1, settings.nbatch + 1)
    }
    batches = results(made, "augment", "stored batches", page)
    return {k: [ref for (of, _), ref in sorted(batches.items()) if of == k] for k in range(niter + 1)}


def _augment_monitors(
    size: int, samples: References, niter: int, settings: Augment
) -> dict[str | int, Reference | None]:
    """Augment what training is measured on: the test set ("test") and each subsample's left-out galaxies.

    The values are None where there are no galaxies.
    """

    def bands_with(fact: str) -> References:
        return {band: reference for band, reference in samples.items() if reference.facts[fact]}

    futures: dict[str | int, PrefectFuture] = {}
    if tested := bands_with("test"):
        futures["test"] = augment_test_task.submit(tested, size, settings)
    for k in range(niter + 1):
        if (k or settings.leave_out) and (left := bands_with(f"left_out_{k}")):
            futures[k] = augment_left_out_task.with_options(tags=["augment", f"subsample-{k}"]).submit(
                left, size, k, settings
            )
    return dict.fromkeys(["test", *range(niter + 1)]) | results(futures)


def _check_starts(starts: References, samples: References, size: int, subsamples: int, leave_out: bool) -> None:
    if starts:
        check_starts_task(starts, samples, size, subsamples, leave_out, return_state=True).result()


def _trainings(
    size: int,
    settings: Train,
    batches: dict[int, list[Reference]],
    monitors: Monitors,
    samples: References,
    starts: References,
    label_errors: Reference | None,
) -> dict[str, Training]:
    """Return what every network is trained on, by the name of the network."""
    return {
        network_name(model, k): Training(
            model=model,
            subsample=k,
            size=size,
            settings=settings,
            batches=tuple(batches[k]),
            validation=monitors["test"],
            left_out=monitors[k],
            samples=samples,
            start=starts.get(model),
            label_errors=label_errors,
        )
        for model in settings.models
        for k in batches
    }


@dataclass(frozen=True)
class PipelineResult:
    """The published version, the split artifacts by stored band, the catalogue, and the evaluation."""

    version: str
    samples: References
    catalogue: Reference
    evaluation: Reference


def run_pipeline(settings: PipelineSettings, labels: Reference, listings: References, page: RunPage) -> PipelineResult:
    """Run every stage in the order of the data, reusing existing artifacts, and publish the networks.

    `page` shows the progress.
    """
    size, split, run = settings.size, settings.split, folder_of_run()
    augmenting = settings.augment.with_split(split)
    prepared = _prepare(size, settings.sample, labels, listings, page)
    samples = _split(size, prepared.packed, split)
    count_galaxies_task(run, listings, prepared.small, samples, return_state=True).result()
    stored = {stored_band(band): reference for band, reference in samples.items()}
    batches = _augment(size, stored, split.subsamples, augmenting, page)
    monitors = _augment_monitors(size, stored, split.subsamples, augmenting)
    _check_starts(settings.starts, stored, size, split.subsamples, augmenting.leave_out)
    is_weighted = settings.train.label_weights == "inc_e"
    errors = label_errors_task(labels, return_state=True).result() if is_weighted else None
    trainings = _trainings(size, settings.train, batches, monitors, stored, settings.starts, errors)
    networks = train_networks(trainings, page, tags_of(settings.sample, size))
    page.progress(1, "evaluate: the test set", now=True)
    evaluation = evaluate_task(
        networks, labels, stored, batches[0][0], prepared.skipped, size, return_state=True
    ).result()
    of = fingerprint(labels, listings, settings.as_json())
    # The networks of the folds have done their work.
    kept = {name: of_all for name, of_all in networks.items() if not split.folds or parse_network_name(name)[1] == 0}
    version = publish_task(run, kept, evaluation, stored, of, settings.as_json(), return_state=True).result()
    files = {
        "catalogue": [labels],
        **{f"inventory/{band}": [reference] for band, reference in listings.items()},
        **{f"prep/{reference.name}": [reference] for several in prepared.small.values() for reference in several},
        "packed": list(prepared.packed.values()),
        "samples": list(samples.values()),
        **{f"augmented/{batch_folder(k)}": references for k, references in batches.items()},
        "augmented": [reference for reference in monitors.values() if reference is not None],
        "start": list(settings.starts.values()),
        "models": list(networks.values()),
        "evaluation": [evaluation],
        "skipped": [prepared.skipped],
    }
    about = {"Version": version, "Sample": f"{settings.sample.images}, with {settings.sample.catalog}"}
    index_task(run, files, ["models", "evaluation", "skipped"], about, return_state=True).result()
    return PipelineResult(version, stored, labels, evaluation)
